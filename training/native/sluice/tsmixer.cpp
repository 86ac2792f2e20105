// The CPU half of libsluice: handles, the steps of a training, and what is refused. The arithmetic is in kernels.cpp.
//
// A step cuts each member's batch into groups of sixteen samples and the groups into at most kStripes stripes. A stripe's
// groups add to one gradient in their order, and the stripes are added in theirs, so neither the number of threads nor
// the other members decide a byte.
#include "cpu/kernels.h"
#include "cpu/threadPool.h"
#include "sluice.h"
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

namespace sluice {
namespace {

constexpr int kStripes = 8;
constexpr size_t kChunk = 4096; // parameters of one task of the optimiser
constexpr int64_t kLargest = int64_t(1) << 31;

struct Failure {
  int code;
  std::string sentence;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(int code, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  std::vsnprintf(text, sizeof text, format, list);
  va_end(list);
  throw Failure{code, text};
}

/// Zeroed floats on a cache line's border.
class Floats {
public:
  Floats() = default;
  explicit Floats(size_t n) : size_(n) {
    data_.reset(static_cast<float *>(std::aligned_alloc(64, (n * sizeof(float) / 64 + 1) * 64)));
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, n * sizeof(float));
  }
  float *get() const { return data_.get(); }
  size_t size() const { return size_; }

private:
  struct Free {
    void operator()(float *p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
  size_t size_ = 0;
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

struct Member {
  slu_tsmixer_member own;
  PhiloxKey key;
  int64_t step = 0;
  Floats parameters, first, second, packed;
};

struct Data {
  const float *series = nullptr, *targets = nullptr, *teacher = nullptr, *weights = nullptr;
  const int32_t *ends = nullptr;
  int64_t rows = 0, samples = 0;
  std::vector<int32_t> bad_before; // [rows] newest row up to this one that holds a number that is not finite, or -1
};

} // namespace
} // namespace sluice

using namespace sluice;

struct slu_tsmixer {
  Shape shape;
  slu_tsmixer_config config;
  const Kernels *kernels;
  std::vector<Member> members;
  Data data;
  ThreadPool pool;
  std::vector<Floats> arenas;     // one for each thread
  std::vector<Floats> gradients;  // [members * stripes]
  std::vector<double> losses;     // of those, or of groups
  std::vector<double> squares;    // of the chunks of the gradient
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> done{0};
  std::string error;

  slu_tsmixer(const Shape &s, const slu_tsmixer_config &c, int threads)
      : shape(s), config(c), kernels(chosen_kernels), pool(threads) {}

  size_t parameters() const { return shape.parameters(); }
  size_t chunks() const { return (parameters() + kChunk - 1) / kChunk; }

  void allocate(const slu_tsmixer_member *own) {
    const size_t arena = kernels->arena_floats(shape, true);
    for (int t = 0; t < pool.size(); ++t) arenas.emplace_back(arena);
    members.resize(config.members);
    const int stripes = stripes_of(config.batch);
    for (int k = 0; k < config.members; ++k) {
      Member &m = members[k];
      m.own = own[k];
      m.key = {uint32_t(m.own.seed), uint32_t(m.own.seed >> 32)};
      m.parameters = Floats(parameters());
      m.first = Floats(parameters());
      m.second = Floats(parameters());
      m.packed = Floats(shape.packed_size());
      for (int i = 0; i < stripes; ++i) gradients.emplace_back(parameters());
    }
  }

  static int groups_of(int64_t samples) { return int((samples + kLanes - 1) / kLanes); }
  static int stripes_of(int64_t samples) { return std::min(kStripes, groups_of(samples)); }

  int matrices() const { return 3 * shape.blocks + (shape.flat ? 0 : 1); }

  /// Lays one weight matrix of a member out for its products.
  void pack(Member &m, int which) const {
    const auto matrix = [&](size_t from, int rows, int columns, size_t to, size_t to_transposed) {
      kernels->pack(m.parameters.get() + from, rows, columns, false, m.packed.get() + to);
      kernels->pack(m.parameters.get() + from, rows, columns, true, m.packed.get() + to_transposed);
    };
    const int block = which / 3;
    if (block == shape.blocks) return matrix(shape.head_w(), shape.H, shape.L, shape.packed_head(), shape.packed_head_t());
    const Shape::Block at = shape.block(block);
    const Shape::Packed to = shape.packed(block);
    if (which % 3 == 0) matrix(at.time_w, shape.L, shape.L, to.time, to.time_t);
    if (which % 3 == 1) matrix(at.up_w, shape.F, shape.C, to.up, to.up_t);
    if (which % 3 == 2) matrix(at.down_w, shape.C, shape.F, to.down, to.down_t);
  }

  /// Samples `sample(0) .. sample(live - 1)` as a group of member m; `lossless`: targets are not looked at.
  template <class Sample> Group group(const Member &m, int thread, int live, const Sample &sample, bool lossless) const {
    Group g{};
    g.shape = &shape;
    g.parameters = m.parameters.get();
    g.packed = m.packed.get();
    g.arena = arenas[thread].get();
    g.live = live;
    g.target_row = data.targets ? shape.columns() : shape.C;
    for (int i = 0; i < kLanes; ++i) {
      const int64_t id = sample(i < live ? i : 0);
      const int64_t end = data.ends ? data.ends[id] : id;
      g.windows[i] = data.series + (end - shape.L + 1) * shape.C;
      g.weights[i] = data.weights ? data.weights[id] : 1.0f;
      if (lossless) continue;
      g.targets[i] = data.targets ? data.targets + id * shape.outputs() : data.series + (end + 1) * shape.C;
      g.teachers[i] = data.teacher ? data.teacher + id * shape.outputs() : nullptr;
    }
    g.huber = config.loss == SLU_HUBER;
    g.huber_delta = config.huber_delta;
    g.lambda = m.own.teacher;
    g.key = m.key;
    return g;
  }

  /// Gradient of one stripe of a step's samples; its loss.
  template <class Sample>
  double learn_stripe(const Member &m, int thread, int stripe, int64_t count, int64_t step, const Sample &sample,
                      float *gradient) const {
    std::memset(gradient, 0, parameters() * sizeof(float));
    double loss = 0;
    for (int64_t at = int64_t(stripe) * kLanes; at < count; at += int64_t(stripes_of(count)) * kLanes) {
      const int live = int(std::min<int64_t>(kLanes, count - at));
      Group g = group(m, thread, live, [&](int i) { return sample(at + i); }, false);
      g.share = 1.0f / float(count);
      g.dropout = uint32_t(std::lround(m.own.dropout * 65536));
      g.step = uint32_t(step);
      g.position = uint32_t(at);
      loss += kernels->learn(g, gradient);
    }
    return loss;
  }

  /// One step of each member that `moving` names; `sample(k, i)` is the i-th sample of member k's batch.
  template <class Sample>
  void learn(const std::vector<int> &moving, const std::vector<int64_t> &counts, const Sample &sample) {
    const int most = stripes_of(config.batch);
    pool.run(int(moving.size()) * most, [&](int task, int thread) {
      const int at = task / most, stripe = task % most, k = moving[at];
      if (stripe >= stripes_of(counts[at])) return;
      losses[task] = learn_stripe(members[k], thread, stripe, counts[at], members[k].step,
                                  [&](int64_t i) { return sample(at, i); }, gradients[size_t(k) * most + stripe].get());
    });
  }

  /// Adds the stripes of a chunk of member k's gradient into the first one; the sum of its squares.
  double reduce(int k, int stripes, size_t chunk) const {
    const int most = stripes_of(config.batch);
    const size_t from = chunk * kChunk, to = std::min(parameters(), from + kChunk);
    float *sum = gradients[size_t(k) * most].get();
    for (int i = 1; i < stripes; ++i) {
      const float *part = gradients[size_t(k) * most + i].get();
      for (size_t p = from; p < to; ++p) sum[p] += part[p];
    }
    double squares[4] = {};
    for (size_t p = from; p < to; ++p) squares[p & 3] += double(sum[p]) * sum[p];
    return (squares[0] + squares[1]) + (squares[2] + squares[3]);
  }

  void update(int k, size_t chunk, double norm, float learning_rate) {
    Member &m = members[k];
    const size_t from = chunk * kChunk, n = std::min(parameters() - from, kChunk);
    const double t = double(m.step + 1);
    AdamW a;
    a.decay = 1 - learning_rate * m.own.weight_decay;
    a.beta1 = config.beta1;
    a.beta2 = config.beta2;
    a.step_size = float(learning_rate / (1 - std::pow(double(config.beta1), t)));
    a.second_scale = float(1 / std::sqrt(1 - std::pow(double(config.beta2), t)));
    a.epsilon = config.epsilon;
    const double limit = m.own.clip / (norm + 1e-6);
    a.gradient_scale = m.own.clip > 0 && limit < 1 ? float(limit) : 1.0f;
    kernels->adamw(m.parameters.get() + from, m.first.get() + from, m.second.get() + from,
                   gradients[size_t(k) * stripes_of(config.batch)].get() + from, n, a);
  }

  // What is refused

  void require_samples(const int32_t *samples, int64_t n, bool with_targets) const {
    if (!data.series) fail(SLU_INVALID, "There are no data yet: call slu_tsmixer_data first.");
    if (!samples || n < 1 || n >= kLargest)
      fail(SLU_INVALID, "Expected between 1 and 2^31 - 1 samples, found %lld.", (long long)n);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t id = samples[i];
      if (id < 0 || id >= data.samples)
        fail(SLU_INVALID, "Sample %lld is not one of the %lld there are.", (long long)id, (long long)data.samples);
      const int64_t end = data.ends ? data.ends[id] : id;
      const int64_t last = end + (with_targets && !data.targets ? shape.H : 0);
      if (end - shape.L + 1 < 0 || end >= data.rows || last >= data.rows)
        fail(SLU_INVALID, "Sample %lld needs rows %lld to %lld of the series, which has %lld.", (long long)id,
             (long long)(end - shape.L + 1), (long long)last, (long long)data.rows);
      if (data.bad_before[last] > end - shape.L)
        fail(SLU_INVALID, "Row %d of the series, which sample %lld needs, holds a number that is not finite.",
             data.bad_before[last], (long long)id);
      if (with_targets) require_numbers(id);
    }
  }

  void require_numbers(int64_t id) const {
    for (size_t o = 0; o < shape.outputs(); ++o) {
      if (data.targets && !std::isfinite(data.targets[id * shape.outputs() + o]))
        fail(SLU_INVALID, "The target of sample %lld is not finite.", (long long)id);
      if (data.teacher && std::isinf(data.teacher[id * shape.outputs() + o]))
        fail(SLU_INVALID, "The teacher's number for sample %lld is infinite.", (long long)id);
    }
    if (data.weights && !(data.weights[id] >= 0 && std::isfinite(data.weights[id])))
      fail(SLU_INVALID, "The weight of sample %lld is %g; weights are finite and not negative.", (long long)id,
           double(data.weights[id]));
  }

  // Calls

  void set_data(const float *series, int64_t rows, const int32_t *ends, int64_t samples, const float *targets,
                const float *teacher, const float *weights) {
    if (!series || rows < 1 || rows >= kLargest || samples < 1 || samples >= kLargest || (!ends && samples > rows))
      fail(SLU_INVALID, "Expected 1 to 2^31 - 1 rows and samples, found %lld and %lld.", (long long)rows,
           (long long)samples);
    Data next{series, targets, teacher, weights, ends, rows, samples, std::vector<int32_t>(rows)};
    int32_t bad = -1;
    for (int64_t r = 0; r < rows; ++r) {
      float sum = 0;
      for (int c = 0; c < shape.C; ++c) sum += series[r * shape.C + c] * 0.0f; // 0 of finite numbers, else NaN
      if (sum != 0) bad = int32_t(r);
      next.bad_before[r] = bad;
    }
    data = std::move(next);
  }

  void train(const int32_t *train, int64_t n, const float *schedule, int64_t n_schedule, int64_t to_step,
             const uint8_t *active, slu_tsmixer_stats *stats) {
    require_samples(train, n, true);
    if (!schedule || n_schedule < 1) fail(SLU_INVALID, "The schedule holds no learning rate.");
    for (int64_t i = 0; i < n_schedule; ++i)
      if (!(schedule[i] >= 0 && std::isfinite(schedule[i])))
        fail(SLU_INVALID, "The schedule at step %lld is %g; it is finite and not negative.", (long long)i,
             double(schedule[i]));
    const double highest = *std::max_element(schedule, schedule + n_schedule);
    for (int k = 0; k < config.members; ++k) {
      stats[k] = {members[k].step, 0, 0};
      const double rate = highest * members[k].own.learning_rate;
      if (!(rate <= 1e32 && rate * members[k].own.weight_decay <= 1))
        fail(SLU_INVALID, "Member %d would learn at a rate of %g: at most 1e32, and at most 1 times its weight decay.", k, rate);
    }
    losses.resize(members.size() * stripes_of(config.batch));
    squares.resize(members.size() * chunks());
    while (one_step(train, n, schedule, n_schedule, to_step, active, stats))
      if (stopping.load()) fail(SLU_STOPPED, "The training was stopped on request.");
    for (int k = 0; k < config.members; ++k)
      if (stats[k].samples > 0) stats[k].loss /= double(stats[k].samples);
  }

  /// False if no member is left to move.
  bool one_step(const int32_t *train, int64_t n, const float *schedule, int64_t n_schedule, int64_t to_step,
                const uint8_t *active, slu_tsmixer_stats *stats) {
    const int64_t per_epoch = (n + config.batch - 1) / config.batch;
    std::vector<int> moving;
    std::vector<int64_t> counts, firsts;
    std::vector<Order> orders;
    for (int k = 0; k < config.members; ++k) {
      const int64_t step = members[k].step;
      if ((active && !active[k]) || step >= to_step) continue;
      moving.push_back(k);
      firsts.push_back(step % per_epoch * config.batch);
      counts.push_back(std::min<int64_t>(config.batch, n - firsts.back()));
      orders.emplace_back(members[k].key, uint64_t(step / per_epoch), uint32_t(n));
    }
    if (moving.empty()) return false;
    learn(moving, counts, [&](int at, int64_t i) { return train[orders[at].at(uint32_t(firsts[at] + i))]; });
    add_losses(moving, counts, stats);

    const int all = int(chunks());
    pool.run(int(moving.size()) * all, [&](int task, int) {
      squares[task] = reduce(moving[task / all], stripes_of(counts[task / all]), task % all);
    });
    const std::vector<double> norms = norms_of(moving);
    pool.run(int(moving.size()) * all, [&](int task, int) {
      const int k = moving[task / all];
      const float scheduled = schedule[std::min(members[k].step, n_schedule - 1)];
      update(k, task % all, norms[task / all], members[k].own.learning_rate * scheduled);
    });
    if (const int each = matrices())
      pool.run(int(moving.size()) * each, [&](int task, int) { pack(members[moving[task / each]], task % each); });
    for (int k : moving) stats[k].step = ++members[k].step;
    done.fetch_add(int64_t(moving.size()));
    return true;
  }

  /// Global norms of the gradients; a square beyond float32 would end in the second moments.
  std::vector<double> norms_of(const std::vector<int> &moving) const {
    std::vector<double> norms;
    for (size_t at = 0; at < moving.size(); ++at) {
      double sum = 0;
      for (size_t c = 0; c < chunks(); ++c) sum += squares[at * chunks() + c];
      if (!(sum < FLT_MAX))
        fail(SLU_NON_FINITE, "The gradient of member %d left the range of numbers in step %lld; lower its learning rate.",
             moving[at], (long long)members[moving[at]].step);
      norms.push_back(std::sqrt(sum));
    }
    return norms;
  }

  void add_losses(const std::vector<int> &moving, const std::vector<int64_t> &counts, slu_tsmixer_stats *stats) {
    const int most = stripes_of(config.batch);
    for (size_t at = 0; at < moving.size(); ++at) {
      double loss = 0;
      for (int i = 0; i < stripes_of(counts[at]); ++i) loss += losses[at * most + i];
      if (!std::isfinite(loss))
        fail(SLU_NON_FINITE, "The loss of member %d stopped being finite in step %lld; lower its learning rate.",
             moving[at], (long long)members[moving[at]].step);
      slu_tsmixer_stats &s = stats[moving[at]];
      s.loss += loss * double(counts[at]);
      s.samples += counts[at];
    }
  }

  /// Forward over all samples and members; `output(k, i)` is where to write, or null.
  template <class Output> void predict(const int32_t *samples, int64_t n, bool with_loss, const Output &output) {
    const int groups = groups_of(n);
    losses.assign(members.size() * groups, 0);
    pool.run(int(members.size()) * groups, [&](int task, int thread) {
      if (stopping.load()) return;
      const int k = task / groups;
      const int64_t at = int64_t(task % groups) * kLanes;
      const int live = int(std::min<int64_t>(kLanes, n - at));
      const Group g = group(members[k], thread, live, [&](int i) { return samples[at + i]; }, !with_loss);
      float *rows[kLanes];
      for (int i = 0; i < live; ++i) rows[i] = output(k, at + i);
      losses[task] = kernels->predict(g, rows[0] ? rows : nullptr);
    });
    if (stopping.load()) fail(SLU_STOPPED, "The prediction was stopped on request.");
  }

  void evaluate(const int32_t *samples, int64_t n, slu_tsmixer_stats *stats) {
    require_samples(samples, n, true);
    predict(samples, n, true, [](int, int64_t) { return static_cast<float *>(nullptr); });
    const int groups = groups_of(n);
    for (int k = 0; k < config.members; ++k) {
      double sum = 0;
      for (int g = 0; g < groups; ++g) sum += losses[size_t(k) * groups + g];
      stats[k] = {members[k].step, n, sum / double(n)};
      if (!std::isfinite(sum)) fail(SLU_NON_FINITE, "The loss of member %d over %lld samples is not finite.", k, (long long)n);
    }
  }

  void gradient(int k, const int32_t *samples, int64_t n, int64_t step, float *out, double *loss) {
    require_samples(samples, n, true);
    if (step < 0) fail(SLU_INVALID, "Expected a step from 0 on, found %lld.", (long long)step);
    Floats part(parameters());
    std::memset(out, 0, parameters() * sizeof(float));
    *loss = 0;
    for (int stripe = 0; stripe < stripes_of(n); ++stripe) {
      *loss += learn_stripe(members[k], 0, stripe, n, step, [&](int64_t i) { return samples[i]; }, part.get());
      for (size_t p = 0; p < parameters(); ++p) out[p] += part.get()[p];
    }
  }

  int64_t state_bytes() const { return int64_t(sizeof(int64_t) + 3 * parameters() * sizeof(float)); }

  void state(int k, int direction, char *bytes) {
    Member &m = members[k];
    const size_t size = parameters() * sizeof(float);
    float *const parts[] = {m.parameters.get(), m.first.get(), m.second.get()};
    if (direction == SLU_READ) {
      std::memcpy(bytes, &m.step, sizeof m.step);
      for (int i = 0; i < 3; ++i) std::memcpy(bytes + sizeof m.step + i * size, parts[i], size);
      return;
    }
    int64_t step;
    std::memcpy(&step, bytes, sizeof step);
    if (step < 0) fail(SLU_INVALID, "A state cannot stand at step %lld.", (long long)step);
    for (size_t i = 0; i < 3 * parameters(); ++i) {
      float number;
      std::memcpy(&number, bytes + sizeof step + i * sizeof number, sizeof number);
      if (!std::isfinite(number)) fail(SLU_INVALID, "Number %zu of the state is not finite.", i);
    }
    m.step = step;
    for (int i = 0; i < 3; ++i) std::memcpy(parts[i], bytes + sizeof step + i * size, size);
    for (int i = 0; i < matrices(); ++i) pack(m, i);
  }
};

namespace {

thread_local std::string create_error;

void require(bool holds, const char *what) {
  if (!holds) fail(SLU_INVALID, "%s", what);
}

Shape shape_of(const slu_tsmixer_config &c) {
  const auto size = [](int32_t value) { return value >= 1 && value < 1 << 15; }; // places in a Philox counter
  require(c.members >= 1 && c.members <= 1 << 16, "members is not between 1 and 65536.");
  require(size(c.tokens) && size(c.channels) && size(c.hidden) && size(c.horizon),
          "tokens, channels, hidden and horizon are between 1 and 32767.");
  require(c.blocks >= 1 && c.blocks <= 1024, "blocks is not between 1 and 1024.");
  require(c.head == SLU_HEAD_FLAT || c.head == SLU_HEAD_TEMPORAL, "head is neither flat nor temporal.");
  require(c.kept_channels >= 1 && c.kept_channels <= c.channels, "kept_channels is not between 1 and channels.");
  require(c.activation == SLU_RELU || c.activation == SLU_GELU, "activation is neither relu nor gelu.");
  require(c.revin == 0 || (c.revin == 1 && c.head == SLU_HEAD_TEMPORAL), "revin is 0 or 1 and needs a temporal head.");
  require(c.batch >= 1 && c.batch <= 1 << 24, "batch is not between 1 and 2^24.");
  require(c.loss == SLU_MSE || (c.loss == SLU_HUBER && c.huber_delta > 0 && std::isfinite(c.huber_delta)),
          "loss is mse, or huber with a delta above 0.");
  require(c.threads >= 0 && c.threads <= 4096, "threads is not between 0 and 4096.");
  require(c.beta1 >= 0 && c.beta1 < 1 && c.beta2 >= 0 && c.beta2 < 1 && c.epsilon > 0 && std::isfinite(c.epsilon),
          "beta1 and beta2 are in [0, 1) and epsilon is above 0.");
  require(c.device == 0, "device is 0, the only CPU there is.");
  require(c.precision == SLU_FP32, "precision is fp32: a CPU computes in nothing else.");
  const double parameters = double(c.blocks) * (double(c.tokens) * c.tokens + 4.0 * c.tokens * c.channels +
                                                2.0 * c.hidden * c.channels) +
                            double(c.horizon) * c.tokens * (c.head == SLU_HEAD_FLAT ? c.channels : 1);
  require(parameters < double(kLargest), "The network would have more than 2^31 parameters.");
  return {c.tokens, c.channels, c.hidden, c.blocks, c.horizon, c.head == SLU_HEAD_FLAT ? c.channels : c.kept_channels,
          c.head == SLU_HEAD_FLAT, c.activation == SLU_GELU, c.revin == 1};
}

void check_member(const slu_tsmixer_member &m) {
  const auto finite = [](float x) { return x >= 0 && std::isfinite(x); };
  require(finite(m.learning_rate) && finite(m.weight_decay) && finite(m.teacher) && finite(m.clip),
          "learning_rate, weight_decay, teacher and clip are finite and not negative.");
  require(m.dropout >= 0 && m.dropout <= 0.999f, "dropout is not between 0 and 0.999.");
}

/// Runs a call; failures become a code and a sentence.
template <class Call> int guarded(std::string &error, const Call &call) {
  try {
    call();
    return SLU_OK;
  } catch (const Failure &failure) {
    error = failure.sentence;
    return failure.code;
  } catch (const std::bad_alloc &) {
    error = "There is not enough memory.";
    return SLU_MEMORY;
  } catch (const std::exception &other) { // threads that cannot be started
    error = other.what();
    return SLU_MEMORY;
  }
}

/// A call of a handle that may take long: it can be stopped, and counts its steps.
template <class Call> int long_call(slu_tsmixer *h, const Call &call) {
  h->done.store(0);
  const int code = guarded(h->error, call);
  h->stopping.store(false);
  return code;
}

void require_member(const slu_tsmixer *h, int32_t k) {
  if (k < 0 || k >= h->config.members) fail(SLU_INVALID, "Member %d is not one of the %d there are.", k, h->config.members);
}

} // namespace

int32_t slu_abi_version(void) { return SLU_ABI_VERSION; }
const char *slu_path(void) { return chosen_kernels.load()->name; }
const char *slu_error(const slu_tsmixer *h) { return h ? h->error.c_str() : create_error.c_str(); }

int slu_use(const char *name) {
  return guarded(create_error, [&] {
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
  });
}

int slu_device_info(int32_t device, slu_device *out) {
  return guarded(create_error, [&] {
    require(out && out->struct_bytes == int32_t(sizeof *out), "The caller's slu_device was made for another library.");
    if (device != 0) fail(SLU_NO_DEVICE, "There is one CPU, device 0; found device %d.", device);
    *out = {};
    out->struct_bytes = int32_t(sizeof *out);
    out->processors = int32_t(std::max(1u, std::thread::hardware_concurrency()));
    std::snprintf(out->name, sizeof out->name, "%s", slu_path());
  });
}

int slu_tsmixer_create(const slu_tsmixer_config *config, const slu_tsmixer_member *members, slu_tsmixer **out) {
  return guarded(create_error, [&] {
    require(config && members && out, "config, members and out are needed.");
    if (config->struct_bytes != int32_t(sizeof *config))
      fail(SLU_INVALID, "struct_bytes is %d, expected %zu: the caller was made for another library.",
           config->struct_bytes, sizeof *config);
    *out = nullptr;
    const Shape shape = shape_of(*config);
    for (int k = 0; k < config->members; ++k) check_member(members[k]);
    const int cores = int(std::max(1u, std::thread::hardware_concurrency()));
    auto handle = std::make_unique<slu_tsmixer>(shape, *config, config->threads ? config->threads : cores);
    handle->allocate(members);
    *out = handle.release();
  });
}

void slu_tsmixer_free(slu_tsmixer *h) { delete h; }

int slu_tsmixer_data(slu_tsmixer *h, const float *series, int64_t rows, const int32_t *ends, int64_t samples,
                     const float *targets, const float *teacher, const float *weights) {
  return guarded(h->error, [&] { h->set_data(series, rows, ends, samples, targets, teacher, weights); });
}

int slu_tsmixer_train(slu_tsmixer *h, const int32_t *train, int64_t n, const float *schedule, int64_t n_schedule,
                      int64_t to_step, const uint8_t *active, slu_tsmixer_stats *stats) {
  return long_call(h, [&] { h->train(train, n, schedule, n_schedule, to_step, active, stats); });
}

int slu_tsmixer_evaluate(slu_tsmixer *h, const int32_t *samples, int64_t n, slu_tsmixer_stats *stats) {
  return long_call(h, [&] { h->evaluate(samples, n, stats); });
}

int slu_tsmixer_predict(slu_tsmixer *h, const int32_t *samples, int64_t n, float *y) {
  return long_call(h, [&] {
    h->require_samples(samples, n, false);
    const size_t outputs = h->shape.outputs();
    h->predict(samples, n, false, [&](int k, int64_t i) { return y + (size_t(k) * n + i) * outputs; });
  });
}

int slu_tsmixer_gradient(slu_tsmixer *h, int32_t member, const int32_t *samples, int64_t n, int64_t step,
                         float *gradient, double *loss) {
  return guarded(h->error, [&] {
    require_member(h, member);
    h->gradient(member, samples, n, step, gradient, loss);
  });
}

int64_t slu_tsmixer_state_bytes(const slu_tsmixer *h) { return h->state_bytes(); }

int slu_tsmixer_state(slu_tsmixer *h, int32_t member, int32_t direction, void *state, int64_t bytes) {
  return guarded(h->error, [&] {
    require_member(h, member);
    if (direction != SLU_READ && direction != SLU_WRITE) fail(SLU_INVALID, "Direction %d neither reads nor writes.", direction);
    if (bytes != h->state_bytes())
      fail(SLU_INVALID, "A state of this network has %lld bytes, found %lld.", (long long)h->state_bytes(), (long long)bytes);
    h->state(member, direction, static_cast<char *>(state));
  });
}

void slu_tsmixer_stop(slu_tsmixer *h) { h->stopping.store(true); }
int64_t slu_tsmixer_progress(const slu_tsmixer *h) { return h->done.load(); }

void slu_philox(const uint32_t *counters, const uint32_t *key, int64_t n, uint32_t *out) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t block[4];
    std::memcpy(block, counters + 4 * i, sizeof block);
    philox({key[0], key[1]}, block);
    std::memcpy(out + 4 * i, block, sizeof block);
  }
}
