// The CPU half of libsluice: the steps of a training over threads. The arithmetic is in kernels.cpp.
//
// A step cuts each member's batch into groups of sixteen samples and the groups into at most kStripes stripes. A stripe's
// groups add to one gradient in their order, and the stripes are added in theirs, so neither the number of threads nor
// the other members decide a byte.
#include "half.h"
#include "cpu/kernels.h"
#include "cpu/threadPool.h"
#include <algorithm>
#include <cfloat>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sluice {
namespace {

constexpr int kStripes = 8;
constexpr size_t kChunk = 4096; // parameters of one task of the optimiser

/// Zeroed floats on a cache line's border.
class Floats {
public:
  Floats() = default;
  explicit Floats(size_t n) {
    data_.reset(static_cast<float *>(std::aligned_alloc(64, (n * sizeof(float) / 64 + 1) * 64)));
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, n * sizeof(float));
  }
  float *get() const { return data_.get(); }

private:
  struct Free {
    void operator()(float *p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
};

/// What this machine can run, the best first.
std::vector<const Kernels *> runnable_kernels() {
  std::vector<const Kernels *> all;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw"))
    all.push_back(&avx512_kernels);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    all.push_back(&avx2_kernels);
#if defined(SLU_WITH_WIDE)
    all.push_back(&wide_kernels);
#endif
  }
#endif
  all.push_back(&portable_kernels);
  return all;
}

const Kernels *best_kernels() { return runnable_kernels().front(); }

std::atomic<const Kernels *> chosen_kernels{best_kernels()};

int cores() { return int(std::max(1u, std::thread::hardware_concurrency())); }

struct Member {
  slu_tsmixer_member own;
  PhiloxKey key;
  int64_t step = 0;
  Floats parameters, first, second, packed;
};

/// A member's samples of one step: `count` of them from place `first` of its epoch's order.
struct Batch {
  int member;
  int64_t first, count;
  Order order;
};

int groups_of(int64_t samples) { return int((samples + kLanes - 1) / kLanes); }
int stripes_of(int64_t samples) { return std::min(kStripes, groups_of(samples)); }

class CpuHalf final : public Half {
public:
  CpuHalf(const Shape &shape, const slu_tsmixer_config &config, const slu_tsmixer_member *own, Watch &watch)
      : shape_(shape), config_(config), watch_(watch), kernels_(chosen_kernels), parameters_(shape.parameters()),
        chunks_(int((parameters_ + kChunk - 1) / kChunk)), most_(stripes_of(config.batch)),
        pool_(config.threads ? config.threads : cores()) {
    const size_t arena = kernels_->arena_floats(shape_, true);
    for (int t = 0; t < pool_.size(); ++t) arenas_.emplace_back(arena);
    members_.resize(config.members);
    for (int k = 0; k < config.members; ++k) {
      Member &m = members_[k];
      m.own = own[k];
      m.key = {uint32_t(m.own.seed), uint32_t(m.own.seed >> 32)};
      m.parameters = Floats(parameters_);
      m.first = Floats(parameters_);
      m.second = Floats(parameters_);
      m.packed = Floats(shape_.packed_size());
      for (int i = 0; i < most_; ++i) gradients_.emplace_back(parameters_);
    }
  }

  void lend(const Data &data) override { data_ = data; }

  void train(const Training &t, slu_tsmixer_stats *stats) override {
    losses_.resize(members_.size() * most_);
    squares_.resize(members_.size() * chunks_);
    while (one_step(t, stats))
      if (watch_.stopping.load()) fail(SLU_STOPPED, "The training was stopped on request.");
  }

  void evaluate(const int32_t *samples, int64_t n, double *losses) override {
    forward(samples, n, nullptr);
    const int groups = groups_of(n);
    for (size_t k = 0; k < members_.size(); ++k) {
      losses[k] = 0;
      for (int g = 0; g < groups; ++g) losses[k] += losses_[k * groups + g];
    }
  }

  void predict(const int32_t *samples, int64_t n, float *y) override { forward(samples, n, y); }

  void gradient(int k, const int32_t *samples, int64_t n, int64_t step, float *out, double *loss) override {
    Floats part(parameters_);
    std::memset(out, 0, parameters_ * sizeof(float));
    *loss = 0;
    for (int stripe = 0; stripe < stripes_of(n); ++stripe) {
      *loss += learn_stripe(members_[k], 0, stripe, n, step, [&](int64_t i) { return samples[i]; }, part.get());
      for (size_t p = 0; p < parameters_; ++p) out[p] += part.get()[p];
    }
  }

  int64_t step(int k) const override { return members_[k].step; }

  void read(int k, MemberState &state) override {
    const Member &m = members_[k];
    const size_t size = parameters_ * sizeof(float);
    state.step = m.step;
    std::memcpy(state.parameters, m.parameters.get(), size);
    std::memcpy(state.first, m.first.get(), size);
    std::memcpy(state.second, m.second.get(), size);
  }

  void write(int k, const MemberState &state) override {
    Member &m = members_[k];
    const size_t size = parameters_ * sizeof(float);
    m.step = state.step;
    std::memcpy(m.parameters.get(), state.parameters, size);
    std::memcpy(m.first.get(), state.first, size);
    std::memcpy(m.second.get(), state.second, size);
    for (int i = 0; i < matrices(); ++i) pack(m, i);
  }

private:
  int matrices() const { return 3 * shape_.blocks + (shape_.flat ? 0 : 1); }

  /// Lays one weight matrix of a member out for its products.
  void pack(Member &m, int which) const {
    const auto matrix = [&](size_t from, int rows, int columns, size_t to, size_t to_transposed) {
      kernels_->pack(m.parameters.get() + from, rows, columns, false, m.packed.get() + to);
      kernels_->pack(m.parameters.get() + from, rows, columns, true, m.packed.get() + to_transposed);
    };
    const Shape &s = shape_;
    const int block = which / 3;
    if (block == s.blocks) return matrix(s.head_w(), s.H, s.L, s.packed_head(), s.packed_head_t());
    const Shape::Block at = s.block(block);
    const Shape::Packed to = s.packed(block);
    if (which % 3 == 0) matrix(at.time_w, s.L, s.L, to.time, to.time_t);
    if (which % 3 == 1) matrix(at.up_w, s.F, s.C, to.up, to.up_t);
    if (which % 3 == 2) matrix(at.down_w, s.C, s.F, to.down, to.down_t);
  }

  /// Samples `sample(0) .. sample(live - 1)` as a group of member m; `lossless`: targets are not looked at.
  template <class Sample> Group group(const Member &m, int thread, int live, const Sample &sample, bool lossless) const {
    Group g{};
    g.shape = &shape_;
    g.parameters = m.parameters.get();
    g.packed = m.packed.get();
    g.arena = arenas_[thread].get();
    g.live = live;
    g.target_row = data_.targets ? shape_.columns() : shape_.C;
    for (int i = 0; i < kLanes; ++i) {
      const int64_t id = sample(i < live ? i : 0);
      const int64_t end = data_.ends ? data_.ends[id] : id;
      g.windows[i] = data_.series + (end - shape_.L + 1) * shape_.C;
      g.weights[i] = data_.weights ? data_.weights[id] : 1.0f;
      if (lossless) continue;
      g.targets[i] = data_.targets ? data_.targets + id * shape_.outputs() : data_.series + (end + 1) * shape_.C;
      g.teachers[i] = data_.teacher ? data_.teacher + id * shape_.outputs() : nullptr;
    }
    g.huber = config_.loss == SLU_HUBER;
    g.huber_delta = config_.huber_delta;
    g.lambda = m.own.teacher;
    g.key = m.key;
    return g;
  }

  /// Gradient of one stripe of a step's samples; its loss.
  template <class Sample>
  double learn_stripe(const Member &m, int thread, int stripe, int64_t count, int64_t step, const Sample &sample,
                      float *gradient) const {
    std::memset(gradient, 0, parameters_ * sizeof(float));
    double loss = 0;
    for (int64_t at = int64_t(stripe) * kLanes; at < count; at += int64_t(stripes_of(count)) * kLanes) {
      const int live = int(std::min<int64_t>(kLanes, count - at));
      Group g = group(m, thread, live, [&](int i) { return sample(at + i); }, false);
      g.share = 1.0f / float(count);
      g.dropout = uint32_t(std::lround(m.own.dropout * 65536));
      g.step = uint32_t(step);
      g.position = uint32_t(at);
      loss += kernels_->learn(g, gradient);
    }
    return loss;
  }

  /// False if no member is left to move.
  bool one_step(const Training &t, slu_tsmixer_stats *stats) {
    const std::vector<Batch> batches = batches_of(t);
    if (batches.empty()) return false;
    const int moving = int(batches.size());
    pool_.run(moving * most_, [&](int task, int thread) { learn(t, batches[task / most_], task, thread); });
    add_losses(batches, stats);
    pool_.run(moving * chunks_, [&](int task, int) { squares_[task] = reduce(batches[task / chunks_], task % chunks_); });
    const std::vector<double> norms = norms_of(batches);
    pool_.run(moving * chunks_,
              [&](int task, int) { update(t, batches[task / chunks_].member, task % chunks_, norms[task / chunks_]); });
    if (const int each = matrices())
      pool_.run(moving * each, [&](int task, int) { pack(members_[batches[task / each].member], task % each); });
    for (const Batch &b : batches) stats[b.member].step = ++members_[b.member].step;
    watch_.steps.fetch_add(moving);
    return true;
  }

  /// Of the next step of each member that is to move.
  std::vector<Batch> batches_of(const Training &t) const {
    const int64_t per_epoch = (t.n + config_.batch - 1) / config_.batch;
    std::vector<Batch> batches;
    for (int k = 0; k < config_.members; ++k) {
      const int64_t step = members_[k].step;
      if ((t.active && !t.active[k]) || step >= t.to_step) continue;
      const int64_t first = step % per_epoch * config_.batch, count = std::min<int64_t>(config_.batch, t.n - first);
      batches.push_back({k, first, count, Order(members_[k].key, uint64_t(step / per_epoch), uint32_t(t.n))});
    }
    return batches;
  }

  void learn(const Training &t, const Batch &b, int task, int thread) {
    const int stripe = task % most_;
    if (stripe >= stripes_of(b.count)) return;
    const Member &m = members_[b.member];
    losses_[task] = learn_stripe(m, thread, stripe, b.count, m.step,
                                 [&](int64_t i) { return t.train[b.order.at(uint32_t(b.first + i))]; },
                                 gradient_of(b.member, stripe));
  }

  float *gradient_of(int member, int stripe) const { return gradients_[size_t(member) * most_ + stripe].get(); }

  void add_losses(const std::vector<Batch> &batches, slu_tsmixer_stats *stats) const {
    for (size_t at = 0; at < batches.size(); ++at) {
      const Batch &b = batches[at];
      double loss = 0;
      for (int i = 0; i < stripes_of(b.count); ++i) loss += losses_[at * most_ + i];
      if (!std::isfinite(loss)) fail_loss(b.member, members_[b.member].step);
      stats[b.member].loss += loss * double(b.count);
      stats[b.member].samples += b.count;
    }
  }

  /// Adds the stripes of a chunk of a member's gradient into the first one; the sum of its squares.
  double reduce(const Batch &b, size_t chunk) const {
    const size_t from = chunk * kChunk, to = std::min(parameters_, from + kChunk);
    float *sum = gradient_of(b.member, 0);
    for (int i = 1; i < stripes_of(b.count); ++i) {
      const float *part = gradient_of(b.member, i);
      for (size_t p = from; p < to; ++p) sum[p] += part[p];
    }
    double squares[4] = {};
    for (size_t p = from; p < to; ++p) squares[p & 3] += double(sum[p]) * sum[p];
    return (squares[0] + squares[1]) + (squares[2] + squares[3]);
  }

  /// Global norms of the gradients; a square beyond float32 would end in the second moments.
  std::vector<double> norms_of(const std::vector<Batch> &batches) const {
    std::vector<double> norms;
    for (size_t at = 0; at < batches.size(); ++at) {
      double sum = 0;
      for (int c = 0; c < chunks_; ++c) sum += squares_[at * chunks_ + c];
      if (!(sum < FLT_MAX)) fail_gradient(batches[at].member, members_[batches[at].member].step);
      norms.push_back(std::sqrt(sum));
    }
    return norms;
  }

  void update(const Training &training, int k, size_t chunk, double norm) {
    Member &m = members_[k];
    const size_t from = chunk * kChunk, n = std::min(parameters_ - from, kChunk);
    const double t = double(m.step + 1);
    const float learning_rate = m.own.learning_rate * training.schedule[std::min(m.step, training.n_schedule - 1)];
    AdamW a;
    a.decay = 1 - learning_rate * m.own.weight_decay;
    a.beta1 = config_.beta1;
    a.beta2 = config_.beta2;
    a.step_size = float(learning_rate / (1 - std::pow(double(config_.beta1), t)));
    a.second_scale = float(1 / std::sqrt(1 - std::pow(double(config_.beta2), t)));
    a.epsilon = config_.epsilon;
    const double limit = m.own.clip / (norm + 1e-6);
    a.gradient_scale = m.own.clip > 0 && limit < 1 ? float(limit) : 1.0f;
    kernels_->adamw(m.parameters.get() + from, m.first.get() + from, m.second.get() + from, gradient_of(k, 0) + from, n, a);
  }

  /// Over all samples and members: predictions into y [members, n, O], or with null the losses of groups.
  void forward(const int32_t *samples, int64_t n, float *y) {
    const int groups = groups_of(n);
    losses_.assign(members_.size() * groups, 0);
    pool_.run(int(members_.size()) * groups, [&](int task, int thread) {
      if (watch_.stopping.load()) return;
      const int k = task / groups;
      const int64_t at = int64_t(task % groups) * kLanes;
      const int live = int(std::min<int64_t>(kLanes, n - at));
      const Group g = group(members_[k], thread, live, [&](int i) { return samples[at + i]; }, y != nullptr);
      float *rows[kLanes];
      for (int i = 0; y && i < live; ++i) rows[i] = y + (size_t(k) * n + at + i) * shape_.outputs();
      losses_[task] = kernels_->predict(g, y ? rows : nullptr);
    });
    if (watch_.stopping.load()) fail(SLU_STOPPED, "The prediction was stopped on request.");
  }

  const Shape shape_;
  const slu_tsmixer_config config_;
  Watch &watch_;
  const Kernels *const kernels_;
  const size_t parameters_;
  const int chunks_; // of the parameters
  const int most_;   // stripes of a full batch
  ThreadPool pool_;
  std::vector<Member> members_;
  std::vector<Floats> arenas_;    // one for each thread
  std::vector<Floats> gradients_; // [members * stripes]
  std::vector<double> losses_;    // of those, or of groups
  std::vector<double> squares_;   // of the chunks of the gradients
  Data data_;
};

} // namespace

std::unique_ptr<Half> make_half(const Shape &shape, const slu_tsmixer_config &config, const slu_tsmixer_member *own,
                                Watch &watch) {
  return std::make_unique<CpuHalf>(shape, config, own, watch);
}

const char *path() { return chosen_kernels.load()->name; }

void use(const char *name) {
  if (!name) {
    chosen_kernels = best_kernels();
    return;
  }
  for (const Kernels *kernels : runnable_kernels())
    if (std::strcmp(kernels->name, name) == 0) {
      chosen_kernels = kernels;
      return;
    }
  fail(SLU_NO_DEVICE, "This machine or this build has no kernels \"%s\".", name);
}

void describe(int32_t device, slu_device &out) {
  if (device != 0) fail(SLU_NO_DEVICE, "There is one CPU, device 0; found device %d.", device);
  out.processors = cores();
  std::snprintf(out.name, sizeof out.name, "%s", path());
}

void check_device(const slu_tsmixer_config &config) {
  if (config.device != 0) fail(SLU_INVALID, "device is 0, the only CPU there is.");
  if (config.precision != SLU_FP32) fail(SLU_INVALID, "precision is fp32: a CPU computes in nothing else.");
}

} // namespace sluice
