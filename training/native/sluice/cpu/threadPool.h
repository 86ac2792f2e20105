// Threads that share the tasks of a step. Which thread takes a task decides no byte: tasks write to places of their own.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sluice {

class ThreadPool {
public:
  explicit ThreadPool(int threads) : size_(threads < 1 ? 1 : threads) {
    try {
      for (int t = 1; t < size_; ++t) workers_.emplace_back([this, t] { serve(t); });
    } catch (...) { // those that could be started wait in `wake_`
      end();
      throw;
    }
  }
  ~ThreadPool() { end(); }
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;
  int size() const { return size_; }

  /// Calls work(task, thread) once for each task below `tasks` and returns when all have ended. `work` must not throw.
  void run(int tasks, const std::function<void(int task, int thread)> &work) {
    if (size_ == 1 || tasks == 1) {
      for (int task = 0; task < tasks; ++task) work(task, 0);
      return;
    }
    work_ = &work;
    tasks_ = tasks;
    next_.store(0);
    busy_.store(size_ - 1);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    take(0);
    for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) pause(spin);
  }

private:
  void end() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    for (auto &worker : workers_) worker.join();
  }
  void serve(int thread) {
    for (uint64_t seen = 0;;) {
      for (int spin = 0; generation_.load(std::memory_order_acquire) == seen && spin < kSpins; ++spin) pause(0);
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
      }
      ++seen;
      if (ended_) return;
      take(thread);
      busy_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }
  void take(int thread) {
    for (int task; (task = next_.fetch_add(1)) < tasks_;) (*work_)(task, thread);
  }
  /// Steps follow each other within microseconds, so a thread looks again for a while before it sleeps.
  static void pause(int spin) {
#if defined(__x86_64__)
    if (spin < kSpins) return __builtin_ia32_pause();
#endif
    if (spin >= kSpins) std::this_thread::yield();
  }
  static constexpr int kSpins = 2000;

  const int size_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> next_{0}, busy_{0};
  bool ended_ = false;
  int tasks_ = 0;
  const std::function<void(int, int)> *work_ = nullptr;
};

} // namespace sluice
