// The GPU half of libsluice: its memory, its launches, what it refuses. The arithmetic is in kernels.h and below it.
//
// Series, targets and indices are copied to the device once. A training call captures eight steps as a CUDA graph and
// replays it, two of them ahead, until every member stands where it should: steps that are too many do nothing. Between
// replays the host looks at where the members stand, and stops if it was asked to.
#include "cuda/kernels.h"
#include "half.h"
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <utility>

namespace sluice {
namespace {

constexpr int kStepsOfGraph = 8;
constexpr int kAhead = 2;                                 // graphs in flight
constexpr int64_t kInferred = int64_t(1) << 18;           // samples times members of a launch of infer
constexpr int64_t kPredicted = int64_t(1) << 26;          // numbers of a piece of predictions
#if defined(SLU_EMULATED)
constexpr const char *kPath = "emulated";
#else
constexpr const char *kPath = "cuda";
#endif

void check(cudaError_t error, const char *doing) {
  if (error == cudaSuccess) return;
  if (error == cudaErrorMemoryAllocation) fail(SLU_MEMORY, "The GPU has not enough memory.");
  fail(SLU_DEVICE, "The GPU failed while %s: %s.", doing, cudaGetErrorString(error));
}

/// Device memory for n numbers.
template <class T> class Buffer {
public:
  Buffer() = default;
  explicit Buffer(size_t n) : n_(n) {
    if (n == 0) return;
    void *data = nullptr;
    check(cudaMalloc(&data, n * sizeof(T)), "taking memory");
    data_ = static_cast<T *>(data);
  }
  Buffer(size_t n, const T *from) : Buffer(n) { put(from); }
  Buffer(Buffer &&other) noexcept : data_(std::exchange(other.data_, nullptr)), n_(other.n_) {}
  Buffer &operator=(Buffer &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(n_, other.n_);
    return *this;
  }
  ~Buffer() { cudaFree(data_); }

  Memory<T> get() const { return Memory<T>(data_); }
  void put(const T *from, size_t at, size_t n) {
    if (n > 0) check(cudaMemcpy(data_ + at, from, n * sizeof(T), cudaMemcpyHostToDevice), "copying to it");
  }
  void put(const T *from) { put(from, 0, n_); }
  void take(T *to, size_t at, size_t n) const {
    if (n > 0) check(cudaMemcpy(to, data_ + at, n * sizeof(T), cudaMemcpyDeviceToHost), "copying from it");
  }
  void clear() {
    if (n_ > 0) check(cudaMemset(data_, 0, n_ * sizeof(T)), "clearing memory");
  }
  T *raw() const { return data_; }

private:
  T *data_ = nullptr;
  size_t n_ = 0;
};

template <class T> Buffer<T> zeros(size_t n) {
  Buffer<T> buffer(n);
  buffer.clear();
  return buffer;
}
/// A copy of host numbers, or nothing for null.
template <class T> Buffer<T> copied(const T *from, size_t n) { return from ? Buffer<T>(n, from) : Buffer<T>(); }

class Stream {
public:
  Stream() { check(cudaStreamCreate(&stream_), "making a stream"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream &) = delete;
  operator cudaStream_t() const { return stream_; }
  void wait() const { check(cudaStreamSynchronize(stream_), "computing"); }

private:
  cudaStream_t stream_ = nullptr;
};

/// Launches that were recorded once, with their arguments.
class Graph {
public:
  template <class Launches> Graph(const Stream &stream, const Launches &launches) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a step");
    cudaGraph_t graph = nullptr;
    try {
      launches();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "recording a step");
    const cudaError_t made = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check(made, "recording a step");
  }
  ~Graph() { cudaGraphExecDestroy(graph_); }
  Graph(const Graph &) = delete;
  void launch(const Stream &stream) const { check(cudaGraphLaunch(graph_, stream), "starting a step"); }

private:
  cudaGraphExec_t graph_ = nullptr;
};

/// Page-locked host memory and an event for each graph in flight.
class Reports {
public:
  explicit Reports(int numbers) : numbers_(numbers) {
    void *data = nullptr;
    check(cudaMallocHost(&data, size_t(kAhead) * numbers * sizeof(int64_t)), "taking page-locked memory");
    data_ = static_cast<int64_t *>(data);
    for (auto &event : events_) check(cudaEventCreate(&event), "making an event");
  }
  ~Reports() {
    cudaFreeHost(data_);
    for (auto &event : events_) cudaEventDestroy(event);
  }
  Reports(const Reports &) = delete;
  void ask(int64_t round, const int64_t *progress, const Stream &stream) {
    check(cudaMemcpyAsync(slot(round), progress, numbers_ * sizeof(int64_t), cudaMemcpyDeviceToHost, stream), "reporting");
    check(cudaEventRecord(events_[round % kAhead], stream), "reporting");
  }
  const int64_t *wait(int64_t round) {
    check(cudaEventSynchronize(events_[round % kAhead]), "computing");
    return slot(round);
  }

private:
  int64_t *slot(int64_t round) { return data_ + round % kAhead * numbers_; }
  int numbers_;
  int64_t *data_ = nullptr;
  cudaEvent_t events_[kAhead] = {};
};

cudaDeviceProp properties_of(int device) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) fail(SLU_NO_DEVICE, "No GPU can be used here: %s.", cudaGetErrorString(error));
  if (device < 0 || device >= count) fail(SLU_NO_DEVICE, "There is no GPU %d: %d can be used here, counted from 0.", device, count);
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "describing itself");
  return properties;
}

/// The kernels of a precision and a place of the buffers.
struct Kernels {
  void (*learn)(Step);
  void (*update)(Step);
  void (*infer)(Inference);
  void (*pack)(Packing);
};
template <bool Tf32> Kernels kernels_of(bool resident) {
  if (resident) return {learn<Tf32, true>, update<Tf32>, infer<Tf32, true>, pack<Tf32>};
  return {learn<Tf32, false>, update<Tf32>, infer<Tf32, false>, pack<Tf32>};
}

class CudaHalf : public Half {
public:
  CudaHalf(const Shape &shape, const slu_tsmixer_config &config, const slu_tsmixer_member *own, Watch &watch)
      : shape_(shape), config_(config), watch_(watch), device_(on(config.device)), reports_(config.members + 1),
        steps_(config.members) {
    const cudaDeviceProp properties = properties_of(config.device);
    const size_t limit = std::min(kSharedLimit, properties.sharedMemPerBlockOptin);
    plan_ = plan_of(shape, config.batch, limit);
    if (plan_.working > size_t(1) << 30) fail(SLU_INVALID, "A window and its hidden numbers are beyond what the GPU half counts in.");
    if (plan_.shared_bytes > limit)
      fail(SLU_NO_DEVICE, "%s gives a block %zu bytes of shared memory; %zu are needed.", properties.name, limit, plan_.shared_bytes);
    kernels_ = config.precision == SLU_TF32 ? kernels_of<true>(plan_.resident) : kernels_of<false>(plan_.resident);
    blocks_ = std::min(most_blocks(kernels_.learn, properties, limit), most_blocks(kernels_.infer, properties, limit));
    allocate(own);
  }

  void lend(const Data &data) override {
    on(config_.device);
    data_ = {}; // the old ones make room
    data_.series = Buffer<float>(data.rows * shape_.C, data.series);
    data_.targets = copied(data.targets, data.samples * shape_.outputs());
    data_.teacher = copied(data.teacher, data.samples * shape_.outputs());
    data_.weights = copied(data.weights, data.samples);
    std::vector<int32_t> rows;
    if (!data.ends) {
      rows.resize(data.samples);
      std::iota(rows.begin(), rows.end(), 0);
    }
    data_.ends = Buffer<int32_t>(data.samples, data.ends ? data.ends : rows.data());
  }

  void train(const Training &order, slu_tsmixer_stats *stats) override {
    on(config_.device);
    const int64_t most = most_steps(order);
    if (most == 0) return;
    const Buffer<int32_t> train(order.n, order.train);
    const Buffer<float> schedule(order.n_schedule, order.schedule);
    set_active(order.active);
    table_.seen.clear();
    table_.seen_loss.clear();
    Step step = step_over(train, order.n);
    step.schedule = schedule.get();
    step.n_schedule = order.n_schedule;
    step.to_step = order.to_step;
    const bool whole = run(step, (most + kStepsOfGraph - 1) / kStepsOfGraph);
    const std::vector<int64_t> before = steps_;
    table_.progress.take(steps_.data(), 0, steps_.size());
    std::vector<int64_t> seen(steps_.size());
    std::vector<double> losses(steps_.size());
    table_.seen.take(seen.data(), 0, seen.size());
    table_.seen_loss.take(losses.data(), 0, losses.size());
    for (size_t k = 0; k < steps_.size(); ++k) stats[k] = {steps_[k], seen[k], losses[k]};
    watch_.steps.store(std::accumulate(steps_.begin(), steps_.end(), int64_t(0)) -
                       std::accumulate(before.begin(), before.end(), int64_t(0)));
    refuse_bad_steps();
    if (!whole && most_steps(order) > 0) fail(SLU_STOPPED, "The training was stopped on request.");
  }

  void evaluate(const int32_t *samples, int64_t n, double *losses) override {
    std::fill(losses, losses + config_.members, 0.0);
    infer(samples, n, nullptr, losses);
  }
  void predict(const int32_t *samples, int64_t n, float *y) override { infer(samples, n, y, nullptr); }

  void gradient(int member, const int32_t *samples, int64_t n, int64_t step, float *gradient, double *loss) override {
    on(config_.device);
    std::vector<uint8_t> only(config_.members);
    only[member] = 1;
    set_active(only.data());
    const Buffer<int32_t> listed(n, samples);
    Step one = step_over(listed, n);
    one.listed = step;
    launch_learn(one);
    launch_over_chunks(reduce, one);
    stream_.wait();
    table_.gradient.take(gradient, member * parameters(), parameters());
    std::vector<double> losses(plan_.stripes_of(n));
    table_.losses.take(losses.data(), size_t(member) * plan_.stripes, losses.size());
    *loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  }

  int64_t step(int member) const override { return steps_[member]; }

  void read(int member, MemberState &state) override {
    on(config_.device);
    state.step = steps_[member];
    table_.parameters.take(state.parameters, member * parameters(), parameters());
    table_.first.take(state.first, member * parameters(), parameters());
    table_.second.take(state.second, member * parameters(), parameters());
  }

  void write(int member, const MemberState &state) override {
    on(config_.device);
    steps_[member] = state.step;
    table_.progress.put(&state.step, member, 1);
    table_.parameters.put(state.parameters, member * parameters(), parameters());
    table_.first.put(state.first, member * parameters(), parameters());
    table_.second.put(state.second, member * parameters(), parameters());
    const Packing packing{plan_, table_.parameters.get() + member * parameters(), table_.packed.get() + member * plan_.packed};
    check(launch(kernels_.pack, dim3(chunks()), kChunk, 0, stream_, packing), "laying out weights");
    stream_.wait();
  }

private:
  /// Makes a device that of this thread: calls may come from any.
  static int on(int device) {
    check(cudaSetDevice(device), "being chosen");
    return device;
  }

  struct Samples {
    Buffer<float> series, targets, teacher, weights;
    Buffer<int32_t> ends;
  };
  struct Tables { // as Table has them; progress: steps [members], halted
    Buffer<float> parameters, first, second, gradient, packed, partials, own, adamw, scratch;
    Buffer<double> losses, squares, judged, seen_loss, step_loss, loss_scratch;
    Buffer<int64_t> progress, seen;
    Buffer<uint32_t> chance, active;
    Buffer<int32_t> verdict;
  };

  const Shape shape_;
  const slu_tsmixer_config config_;
  Watch &watch_;
  const int device_; // chosen before anything is made on it
  Plan plan_;
  Kernels kernels_;
  int blocks_;
  Samples data_;
  Tables table_;
  Stream stream_;
  Reports reports_;
  std::vector<int64_t> steps_;

  size_t parameters() const { return shape_.parameters(); }
  int chunks() const { return int((parameters() + kChunk - 1) / kChunk); }

  /// How many blocks of a kernel the GPU holds at a time. What a kernel may take is the same for all handles of the
  /// process, so it is the most that any of them may need.
  template <class P> int most_blocks(void (*kernel)(P), const cudaDeviceProp &properties, size_t limit) const {
    const auto function = reinterpret_cast<const void *>(kernel);
    check(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, int(limit)), "giving shared memory");
    int each = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, function, kThreads, plan_.shared_bytes), "counting blocks");
    return std::max(1, each) * properties.multiProcessorCount;
  }

  void allocate(const slu_tsmixer_member *own) {
    const size_t K = config_.members, P = parameters();
    table_.parameters = zeros<float>(K * P);
    table_.first = zeros<float>(K * P);
    table_.second = zeros<float>(K * P);
    table_.packed = zeros<float>(K * plan_.packed);
    table_.gradient = Buffer<float>(K * P);
    table_.partials = Buffer<float>(K * plan_.stripes * P);
    table_.scratch = Buffer<float>(blocks_ * plan_.scratch);
    table_.loss_scratch = Buffer<double>(size_t(blocks_) * kWarps);
    table_.losses = Buffer<double>(K * plan_.stripes);
    table_.squares = Buffer<double>(K * chunks() * kChunkWarps);
    table_.judged = Buffer<double>(2 * K * kChunkWarps);
    table_.step_loss = Buffer<double>(K);
    table_.adamw = Buffer<float>(4 * K);
    table_.seen = zeros<int64_t>(K);
    table_.seen_loss = zeros<double>(K);
    table_.progress = zeros<int64_t>(K + 1);
    table_.verdict = zeros<int32_t>(K);
    table_.active = Buffer<uint32_t>(K);
    std::vector<float> numbers;
    std::vector<uint32_t> chance;
    for (size_t k = 0; k < K; ++k) {
      numbers.insert(numbers.end(), {own[k].learning_rate, own[k].weight_decay, own[k].teacher, own[k].clip});
      chance.insert(chance.end(), {uint32_t(std::lround(own[k].dropout * 65536)), uint32_t(own[k].seed), uint32_t(own[k].seed >> 32)});
    }
    table_.own = Buffer<float>(numbers.size(), numbers.data());
    table_.chance = Buffer<uint32_t>(chance.size(), chance.data());
  }

  DeviceData device_data() const {
    return {data_.series.get(), data_.targets.get(), data_.teacher.get(), data_.weights.get(), data_.ends.get()};
  }
  Table device_table() const {
    Table t{};
    t.parameters = table_.parameters.get(), t.first = table_.first.get(), t.second = table_.second.get();
    t.gradient = table_.gradient.get(), t.packed = table_.packed.get(), t.partials = table_.partials.get();
    t.losses = table_.losses.get(), t.squares = table_.squares.get(), t.judged = table_.judged.get();
    t.steps = table_.progress.get(), t.halted = table_.progress.get() + config_.members;
    t.seen = table_.seen.get(), t.seen_loss = table_.seen_loss.get(), t.step_loss = table_.step_loss.get();
    t.own = table_.own.get(), t.chance = table_.chance.get(), t.adamw = table_.adamw.get();
    t.verdict = table_.verdict.get();
    t.scratch = table_.scratch.get(), t.loss_scratch = table_.loss_scratch.get();
    return t;
  }
  float huber() const { return config_.loss == SLU_HUBER ? config_.huber_delta : 0.0f; }
  Step step_over(const Buffer<int32_t> &samples, int64_t n) const {
    Step step{};
    step.plan = plan_;
    step.data = device_data();
    step.table = device_table();
    step.members = config_.members, step.batch = config_.batch, step.chunks = chunks();
    step.huber = huber();
    step.beta1 = config_.beta1, step.beta2 = config_.beta2, step.epsilon = config_.epsilon;
    step.train = samples.get();
    step.active = table_.active.get();
    step.n = n;
    step.listed = -1;
    return step;
  }

  void set_active(const uint8_t *active) {
    std::vector<uint32_t> words(config_.members, 1);
    if (active) std::copy(active, active + config_.members, words.begin());
    table_.active.put(words.data());
  }
  int64_t most_steps(const Training &order) const {
    int64_t most = 0;
    for (size_t k = 0; k < steps_.size(); ++k)
      if (!order.active || order.active[k]) most = std::max(most, order.to_step - steps_[k]);
    return most;
  }

  void launch_learn(const Step &step) const {
    const int tasks = config_.members * plan_.stripes;
    check(launch(kernels_.learn, dim3(std::min(tasks, blocks_)), kThreads, plan_.shared_bytes, stream_, step), "starting a step");
  }
  void launch_over_chunks(void (*kernel)(Step), const Step &step) const {
    check(launch(kernel, dim3(chunks(), config_.members), kChunk, 0, stream_, step), "starting a step");
  }

  /// Replays a step's graph so many times. False if it was asked to stop before.
  bool run(const Step &step, int64_t rounds) {
    const Graph graph(stream_, [&] {
      for (int i = 0; i < kStepsOfGraph; ++i) {
        launch_learn(step);
        launch_over_chunks(reduce, step);
        check(launch(judge, dim3(config_.members), kChunk, 0, stream_, step), "starting a step");
        launch_over_chunks(kernels_.update, step);
      }
    });
    const int64_t before = std::accumulate(steps_.begin(), steps_.end(), int64_t(0));
    bool going = true;
    for (int64_t round = 0; round < rounds && going; ++round) {
      graph.launch(stream_);
      reports_.ask(round, table_.progress.raw(), stream_);
      if (round + 1 < kAhead) continue;
      const int64_t *report = reports_.wait(round + 1 - kAhead);
      watch_.steps.store(std::accumulate(report, report + config_.members, int64_t(0)) - before);
      going = report[config_.members] == 0 && !watch_.stopping.load();
    }
    stream_.wait();
    return going;
  }

  /// Fails if a step was bad, and makes the members ready to go on from before it.
  void refuse_bad_steps() {
    std::vector<int32_t> verdicts(config_.members);
    int64_t halted = 0;
    table_.progress.take(&halted, config_.members, 1);
    if (halted == 0) return;
    table_.verdict.take(verdicts.data(), 0, verdicts.size());
    table_.verdict.clear();
    halted = 0;
    table_.progress.put(&halted, config_.members, 1);
    for (int k = 0; k < config_.members; ++k)
      if (verdicts[k] == kBadLoss) fail_loss(k, steps_[k]);
    for (int k = 0; k < config_.members; ++k)
      if (verdicts[k] == kBadGradient) fail_gradient(k, steps_[k]);
  }

  /// Forward over samples, a piece at a time: outputs to y [members, n, O] or null, sums of losses to losses or null.
  void infer(const int32_t *samples, int64_t n, float *y, double *losses) {
    on(config_.device);
    const int64_t K = config_.members, outputs = int64_t(shape_.outputs());
    int64_t piece = std::clamp<int64_t>(kInferred / K, 1, n);
    if (y) piece = std::clamp<int64_t>(kPredicted / (K * outputs), 1, piece);
    piece = (piece + plan_.G - 1) / plan_.G * plan_.G; // so that groups are those of the whole
    const Buffer<int32_t> ids(n, samples);
    const Buffer<float> pieces(y ? K * piece * outputs : 0);
    const Buffer<double> parts(losses ? K * plan_.groups_of(piece) : 0);
    std::vector<double> sums(losses ? K * plan_.groups_of(piece) : 0);
    for (int64_t at = 0; at < n; at += piece) {
      if (watch_.stopping.load()) fail(SLU_STOPPED, "The prediction was stopped on request.");
      const int now = int(std::min(piece, n - at)), groups = plan_.groups_of(now);
      const Inference inference{plan_, device_data(), device_table(), config_.members, huber(), ids.get() + at, now,
                                pieces.get(), parts.get()};
      const int tasks = int(std::min<int64_t>(K * groups, blocks_));
      check(launch(kernels_.infer, dim3(tasks), kThreads, plan_.shared_bytes, stream_, inference), "starting a prediction");
      stream_.wait();
      for (int64_t k = 0; y && k < K; ++k) pieces.take(y + (k * n + at) * outputs, k * now * outputs, now * outputs);
      if (!losses) continue;
      parts.take(sums.data(), 0, K * groups);
      for (int64_t k = 0; k < K; ++k)
        for (int g = 0; g < groups; ++g) losses[k] += sums[k * groups + g];
    }
  }
};

} // namespace

std::unique_ptr<Half> make_half(const Shape &shape, const slu_tsmixer_config &config, const slu_tsmixer_member *own,
                                Watch &watch) {
  return std::make_unique<CudaHalf>(shape, config, own, watch);
}

const char *path() { return kPath; }

void use(const char *name) {
  if (name && std::strcmp(name, kPath) != 0) fail(SLU_NO_DEVICE, "This machine or this build has no kernels \"%s\".", name);
}

void describe(int32_t device, slu_device &out) {
  const cudaDeviceProp properties = properties_of(device);
  out.capability = 10 * properties.major + properties.minor;
  out.processors = properties.multiProcessorCount;
  check(cudaDriverGetVersion(&out.driver), "naming its driver");
  check(cudaRuntimeGetVersion(&out.runtime), "naming its runtime");
  out.memory_bytes = int64_t(properties.totalGlobalMem);
  std::snprintf(out.name, sizeof out.name, "%.63s", properties.name);
}

void check_device(const slu_tsmixer_config &config) {
  if (config.precision != SLU_FP32 && config.precision != SLU_TF32) fail(SLU_INVALID, "precision is neither fp32 nor tf32.");
  if (config.members > 65535) fail(SLU_INVALID, "members is at most 65535 on a GPU."); // the second index of a grid
  const cudaDeviceProp properties = properties_of(config.device);
  if (properties.major < 8)
    fail(SLU_NO_DEVICE, "%s has compute capability %d.%d; 8.0 or more is needed.", properties.name, properties.major, properties.minor);
}

} // namespace sluice
