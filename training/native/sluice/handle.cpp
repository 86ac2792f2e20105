// The C ABI: handles, what is refused, and how failures become a code and a sentence. The same for every device; what
// differs is behind `Half`.
#include "half.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>

namespace sluice {

void fail(int code, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  std::vsnprintf(text, sizeof text, format, list);
  va_end(list);
  throw Failure{code, text};
}

void fail_loss(int member, int64_t step) {
  fail(SLU_NON_FINITE, "The loss of member %d stopped being finite in step %lld; lower its learning rate.", member,
       (long long)step);
}

void fail_gradient(int member, int64_t step) {
  fail(SLU_NON_FINITE, "The gradient of member %d left the range of numbers in step %lld; lower its learning rate.",
       member, (long long)step);
}

namespace {

constexpr int64_t kLargest = int64_t(1) << 31;

void require(bool holds, const char *what) {
  if (!holds) fail(SLU_INVALID, "%s", what);
}

Shape shape_of(const slu_tsmixer_config &c) {
  return {c.tokens, c.channels, c.hidden, c.blocks, c.horizon, c.head == SLU_HEAD_FLAT ? c.channels : c.kept_channels,
          c.head == SLU_HEAD_FLAT, c.activation == SLU_GELU, c.revin == 1};
}

void check_config(const slu_tsmixer_config &c) {
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
  check_device(c);
  const double parameters = double(c.blocks) * (double(c.tokens) * c.tokens + 4.0 * c.tokens * c.channels +
                                                2.0 * c.hidden * c.channels) +
                            double(c.horizon) * c.tokens * (c.head == SLU_HEAD_FLAT ? c.channels : 1);
  require(parameters < double(kLargest), "The network would have more than 2^31 parameters.");
}

void check_member(const slu_tsmixer_member &m) {
  const auto finite = [](float x) { return x >= 0 && std::isfinite(x); };
  require(finite(m.learning_rate) && finite(m.weight_decay) && finite(m.teacher) && finite(m.clip),
          "learning_rate, weight_decay, teacher and clip are finite and not negative.");
  require(m.dropout >= 0 && m.dropout <= 0.999f, "dropout is not between 0 and 0.999.");
}

} // namespace
} // namespace sluice

using namespace sluice;

struct slu_tsmixer {
  const Shape shape;
  const slu_tsmixer_config config;
  const std::vector<slu_tsmixer_member> members;
  Watch watch;
  std::string error;
  bool failed = false; // the device did; nothing it holds is known

  slu_tsmixer(const slu_tsmixer_config &c, const slu_tsmixer_member *own)
      : shape(shape_of(c)), config(c), members(own, own + c.members), half_(make_half(shape, c, own, watch)) {}

  void lend(const Data &next) {
    if (!next.series || next.rows < 1 || next.rows >= kLargest || next.samples < 1 || next.samples >= kLargest ||
        (!next.ends && next.samples > next.rows))
      fail(SLU_INVALID, "Expected 1 to 2^31 - 1 rows and samples, found %lld and %lld.", (long long)next.rows,
           (long long)next.samples);
    std::vector<int32_t> bad_before(next.rows);
    int32_t bad = -1;
    for (int64_t r = 0; r < next.rows; ++r) {
      float sum = 0;
      for (int c = 0; c < shape.C; ++c) sum += next.series[r * shape.C + c] * 0.0f; // 0 of finite numbers, else NaN
      if (sum != 0) bad = int32_t(r);
      bad_before[r] = bad;
    }
    data_ = {}; // a half that fails here holds neither the old ones nor the new
    half_->lend(next);
    data_ = next;
    bad_before_ = std::move(bad_before);
  }

  void train(const Training &t, slu_tsmixer_stats *stats) {
    require_samples(t.train, t.n, true);
    require_schedule(t);
    const double highest = *std::max_element(t.schedule, t.schedule + t.n_schedule);
    for (int k = 0; k < config.members; ++k) {
      stats[k] = {half_->step(k), 0, 0};
      const double rate = highest * members[k].learning_rate;
      if (!(rate <= 1e32 && rate * members[k].weight_decay <= 1))
        fail(SLU_INVALID, "Member %d would learn at a rate of %g: at most 1e32, and at most 1 times its weight decay.", k, rate);
    }
    half_->train(t, stats);
    for (int k = 0; k < config.members; ++k)
      if (stats[k].samples > 0) stats[k].loss /= double(stats[k].samples);
  }

  void evaluate(const int32_t *samples, int64_t n, slu_tsmixer_stats *stats) {
    require_samples(samples, n, true);
    std::vector<double> losses(members.size());
    half_->evaluate(samples, n, losses.data());
    for (int k = 0; k < config.members; ++k) {
      stats[k] = {half_->step(k), n, losses[k] / double(n)};
      if (!std::isfinite(losses[k]))
        fail(SLU_NON_FINITE, "The loss of member %d over %lld samples is not finite.", k, (long long)n);
    }
  }

  void predict(const int32_t *samples, int64_t n, float *y) {
    require_samples(samples, n, false);
    half_->predict(samples, n, y);
  }

  void gradient(int k, const int32_t *samples, int64_t n, int64_t step, float *gradient, double *loss) {
    require_member(k);
    require_samples(samples, n, true);
    if (step < 0) fail(SLU_INVALID, "Expected a step from 0 on, found %lld.", (long long)step);
    half_->gradient(k, samples, n, step, gradient, loss);
  }

  int64_t state_bytes() const { return int64_t(sizeof(int64_t) + 3 * shape.parameters() * sizeof(float)); }

  void state(int k, int direction, void *state, int64_t bytes) {
    require_member(k);
    if (direction != SLU_READ && direction != SLU_WRITE) fail(SLU_INVALID, "Direction %d neither reads nor writes.", direction);
    if (bytes != state_bytes())
      fail(SLU_INVALID, "A state of this network has %lld bytes, found %lld.", (long long)state_bytes(), (long long)bytes);
    int64_t step;
    float *const numbers = reinterpret_cast<float *>(static_cast<char *>(state) + sizeof step);
    const size_t each = shape.parameters();
    MemberState s{0, numbers, numbers + each, numbers + 2 * each};
    if (direction == SLU_READ) {
      half_->read(k, s);
      std::memcpy(state, &s.step, sizeof s.step);
      return;
    }
    std::memcpy(&s.step, state, sizeof s.step);
    if (s.step < 0) fail(SLU_INVALID, "A state cannot stand at step %lld.", (long long)s.step);
    for (size_t i = 0; i < 3 * each; ++i) {
      float number;
      std::memcpy(&number, numbers + i, sizeof number);
      if (!std::isfinite(number)) fail(SLU_INVALID, "Number %zu of the state is not finite.", i);
    }
    half_->write(k, s);
  }

private:
  void require_member(int k) const {
    if (k < 0 || k >= config.members) fail(SLU_INVALID, "Member %d is not one of the %d there are.", k, config.members);
  }

  void require_schedule(const Training &t) const {
    if (!t.schedule || t.n_schedule < 1) fail(SLU_INVALID, "The schedule holds no learning rate.");
    for (int64_t i = 0; i < t.n_schedule; ++i)
      if (!(t.schedule[i] >= 0 && std::isfinite(t.schedule[i])))
        fail(SLU_INVALID, "The schedule at step %lld is %g; it is finite and not negative.", (long long)i,
             double(t.schedule[i]));
  }

  void require_samples(const int32_t *samples, int64_t n, bool with_targets) const {
    if (!data_.series) fail(SLU_INVALID, "There are no data yet: call slu_tsmixer_data first.");
    if (!samples || n < 1 || n >= kLargest)
      fail(SLU_INVALID, "Expected between 1 and 2^31 - 1 samples, found %lld.", (long long)n);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t id = samples[i];
      if (id < 0 || id >= data_.samples)
        fail(SLU_INVALID, "Sample %lld is not one of the %lld there are.", (long long)id, (long long)data_.samples);
      const int64_t end = data_.ends ? data_.ends[id] : id;
      const int64_t last = end + (with_targets && !data_.targets ? shape.H : 0);
      if (end - shape.L + 1 < 0 || end >= data_.rows || last >= data_.rows)
        fail(SLU_INVALID, "Sample %lld needs rows %lld to %lld of the series, which has %lld.", (long long)id,
             (long long)(end - shape.L + 1), (long long)last, (long long)data_.rows);
      if (bad_before_[last] > end - shape.L)
        fail(SLU_INVALID, "Row %d of the series, which sample %lld needs, holds a number that is not finite.",
             bad_before_[last], (long long)id);
      if (with_targets) require_numbers(id);
    }
  }

  /// What a sample's loss is made of besides the series.
  void require_numbers(int64_t id) const {
    for (size_t o = 0; o < shape.outputs(); ++o) {
      if (data_.targets && !std::isfinite(data_.targets[id * shape.outputs() + o]))
        fail(SLU_INVALID, "The target of sample %lld is not finite.", (long long)id);
      if (data_.teacher && std::isinf(data_.teacher[id * shape.outputs() + o]))
        fail(SLU_INVALID, "The teacher's number for sample %lld is infinite.", (long long)id);
    }
    if (data_.weights && !(data_.weights[id] >= 0 && std::isfinite(data_.weights[id])))
      fail(SLU_INVALID, "The weight of sample %lld is %g; weights are finite and not negative.", (long long)id,
           double(data_.weights[id]));
  }

  Data data_;
  std::vector<int32_t> bad_before_; // [rows] newest row up to this one that holds a number that is not finite, or -1
  const std::unique_ptr<Half> half_;
};

namespace {

thread_local std::string error_without_handle;

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

/// A call of a handle.
template <class Call> int short_call(slu_tsmixer *h, const Call &call) {
  if (h->failed) return SLU_DEVICE; // the sentence is still there
  const int code = guarded(h->error, call);
  h->failed = code == SLU_DEVICE;
  return code;
}

/// One that may take long: it can be stopped, and counts its steps.
template <class Call> int long_call(slu_tsmixer *h, const Call &call) {
  h->watch.steps.store(0);
  const int code = short_call(h, call);
  h->watch.stopping.store(false);
  return code;
}

} // namespace

int32_t slu_abi_version(void) { return SLU_ABI_VERSION; }
const char *slu_path(void) { return path(); }
const char *slu_error(const slu_tsmixer *h) { return h ? h->error.c_str() : error_without_handle.c_str(); }

int slu_use(const char *name) {
  return guarded(error_without_handle, [&] { use(name); });
}

int slu_device_info(int32_t device, slu_device *out) {
  return guarded(error_without_handle, [&] {
    require(out && out->struct_bytes == int32_t(sizeof *out), "The caller's slu_device was made for another library.");
    slu_device found{};
    found.struct_bytes = int32_t(sizeof found);
    describe(device, found);
    *out = found;
  });
}

int slu_tsmixer_create(const slu_tsmixer_config *config, const slu_tsmixer_member *members, slu_tsmixer **out) {
  return guarded(error_without_handle, [&] {
    require(config && members && out, "config, members and out are needed.");
    if (config->struct_bytes != int32_t(sizeof *config))
      fail(SLU_INVALID, "struct_bytes is %d, expected %zu: the caller was made for another library.",
           config->struct_bytes, sizeof *config);
    *out = nullptr;
    check_config(*config);
    for (int k = 0; k < config->members; ++k) check_member(members[k]);
    *out = new slu_tsmixer(*config, members);
  });
}

void slu_tsmixer_free(slu_tsmixer *h) { delete h; }

int slu_tsmixer_data(slu_tsmixer *h, const float *series, int64_t rows, const int32_t *ends, int64_t samples,
                     const float *targets, const float *teacher, const float *weights) {
  return short_call(h, [&] { h->lend({series, targets, teacher, weights, ends, rows, samples}); });
}

int slu_tsmixer_train(slu_tsmixer *h, const int32_t *train, int64_t n, const float *schedule, int64_t n_schedule,
                      int64_t to_step, const uint8_t *active, slu_tsmixer_stats *stats) {
  return long_call(h, [&] { h->train({train, n, schedule, n_schedule, to_step, active}, stats); });
}

int slu_tsmixer_evaluate(slu_tsmixer *h, const int32_t *samples, int64_t n, slu_tsmixer_stats *stats) {
  return long_call(h, [&] { h->evaluate(samples, n, stats); });
}

int slu_tsmixer_predict(slu_tsmixer *h, const int32_t *samples, int64_t n, float *y) {
  return long_call(h, [&] { h->predict(samples, n, y); });
}

int slu_tsmixer_gradient(slu_tsmixer *h, int32_t member, const int32_t *samples, int64_t n, int64_t step,
                         float *gradient, double *loss) {
  return short_call(h, [&] { h->gradient(member, samples, n, step, gradient, loss); });
}

int64_t slu_tsmixer_state_bytes(const slu_tsmixer *h) { return h->state_bytes(); }

int slu_tsmixer_state(slu_tsmixer *h, int32_t member, int32_t direction, void *state, int64_t bytes) {
  return short_call(h, [&] { h->state(member, direction, state, bytes); });
}

void slu_tsmixer_stop(slu_tsmixer *h) { h->watch.stopping.store(true); }
int64_t slu_tsmixer_progress(const slu_tsmixer *h) { return h->watch.steps.load(); }

void slu_philox(const uint32_t *counters, const uint32_t *key, int64_t n, uint32_t *out) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t block[4];
    std::memcpy(block, counters + 4 * i, sizeof block);
    philox({key[0], key[1]}, block);
    std::memcpy(out + 4 * i, block, sizeof block);
  }
}
