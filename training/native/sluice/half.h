// What a device does of the library, behind the calls of sluice.h: `Half` is implemented once for CPUs (cpu/half.cpp)
// and once for GPUs (cuda/half.cu). handle.cpp checks every argument, keeps what both need and calls it, one call at a
// time; a half may throw Failure and std::bad_alloc.
#pragma once
#include "philox.h"
#include "shape.h"
#include "sluice.h"
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice {

struct Failure {
  int code; // slu_code
  std::string sentence;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(int code, const char *format, ...);
/// What both halves say of numbers that left their range, before a step changes anything.
[[noreturn]] void fail_loss(int member, int64_t step);
[[noreturn]] void fail_gradient(int member, int64_t step);

/// What slu_tsmixer_data lent: host memory.
struct Data {
  const float *series = nullptr, *targets = nullptr, *teacher = nullptr, *weights = nullptr;
  const int32_t *ends = nullptr;
  int64_t rows = 0, samples = 0;
};

/// How a long call is told to stop and tells how far it is.
struct Watch {
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> steps{0}; // finished by the call in progress, over all members
};

/// A training call; all of it has been checked.
struct Training {
  const int32_t *train;
  int64_t n;
  const float *schedule;
  int64_t n_schedule;
  int64_t to_step;
  const uint8_t *active; // [members] or null = all
};

/// One member's state, as arrays of [P].
struct MemberState {
  int64_t step;
  float *parameters, *first, *second;
};

class Half {
public:
  virtual ~Half() = default;
  /// Samples were lent; they stay as they are until others are.
  virtual void lend(const Data &) = 0;
  /// stats[k] holds the step and zeros; on return the new step, the samples seen, and the sum of loss * samples of steps.
  virtual void train(const Training &, slu_tsmixer_stats *stats) = 0;
  /// losses[k]: sum over the samples of their weighted losses.
  virtual void evaluate(const int32_t *samples, int64_t n, double *losses) = 0;
  virtual void predict(const int32_t *samples, int64_t n, float *y) = 0;
  virtual void gradient(int member, const int32_t *samples, int64_t n, int64_t step, float *gradient, double *loss) = 0;
  virtual int64_t step(int member) const = 0;
  virtual void read(int member, MemberState &) = 0;
  virtual void write(int member, const MemberState &) = 0;
};

/// Everything below is the device's own; `watch` outlives the half.
std::unique_ptr<Half> make_half(const Shape &, const slu_tsmixer_config &, const slu_tsmixer_member *, Watch &watch);
const char *path();
void use(const char *name);             // null = the best
void describe(int32_t device, slu_device &out);
/// Refuses a device or a precision that this library has not.
void check_device(const slu_tsmixer_config &);

} // namespace sluice
