// Where the numbers of a pass lie. A buffer holds lines of sixteen floats, one lane for each sample, in one of two orders:
// channels of tokens ("series": line (l, c) at c * series_step + l * 16) and tokens of channels ("tokens": at
// l * token_step + c * 16).
#pragma once
#include "cpu/simd.h"

namespace sluice {
namespace SLU_PATH {

/// Step between rows of so many lines: a few lines longer, so that a tile's rows spread over the sets of a cache.
static inline size_t spread(int lines) { return size_t((lines + 2) / 16 * 16 + 13) * kLanes; }

/// A buffer and the steps between its channels and its tokens.
struct Lines {
  float *data;
  size_t c_step, l_step;
  float *at(int l, int c) const { return data + c * c_step + l * l_step; }
};

/// What backward needs of a block.
struct Kept {
  Lines normal1; // series order: layer norm's output before gamma and beta
  Lines input1;  // series order: and after them
  Lines slope1;  // series order: derivative of activation and dropout; backward turns it into a gradient
  Lines normal2; // tokens order
  Lines input2;
  float *hidden; // [L, ff] tokens order
  float *slope2; // like hidden
  Lines mask;    // tokens order: dropout after the second feature layer
  float *rstd1, *rstd2;
};

/// The buffers of a pass, laid out in the arena.
struct Buffers {
  size_t series_step, token_step, hidden_step;
  Lines x, d;          // series order: the residual stream, and its gradient
  float *normal, *back; // room for either order: the input of a product where none is kept; the gradient of one
  Lines tokens;        // tokens order: gradient into feature mixing
  float *output, *output_d; // [columns, H] lines
  Lines raw;           // series order, RevIN only: windows before weight and bias
  float *mean, *deviation; // RevIN: [C] lines
  size_t floats;

  Buffers(const Shape &s, bool training, float *arena) : floats(0), arena_(arena), shape_(s) {
    series_step = spread(s.L);
    token_step = spread(s.C);
    hidden_step = spread(s.F);
    x = series();
    d = training ? series() : Lines{};
    const size_t either = s.C * series_step > s.L * token_step ? s.C * series_step : s.L * token_step;
    normal = training ? nullptr : take(either);
    back = training ? take(either) : nullptr;
    tokens = training ? token_lines() : Lines{};
    output = take(s.outputs() * kLanes);
    output_d = training ? take(s.outputs() * kLanes) : nullptr;
    raw = s.revin && training ? series() : Lines{};
    mean = s.revin ? take(size_t(s.C) * kLanes) : nullptr;
    deviation = s.revin ? take(size_t(s.C) * kLanes) : nullptr;
    kept_ = floats;
    floats += training ? s.blocks * kept_size() : kColumns * hidden_step;
  }
  /// Hidden lines of kColumns tokens, where nothing is kept.
  float *panel() const { return arena_ + kept_; }
  Kept block(int b) const {
    const size_t cs = shape_.C * series_step, lt = shape_.L * token_step, lh = shape_.L * hidden_step;
    float *at = arena_ + kept_ + b * kept_size();
    Kept k;
    k.normal1 = {at, series_step, kLanes};
    k.slope1 = {at += cs, series_step, kLanes};
    k.input1 = {at += cs, series_step, kLanes};
    k.normal2 = {at += cs, kLanes, token_step};
    k.input2 = {at += lt, kLanes, token_step};
    k.mask = {at += lt, kLanes, token_step};
    k.hidden = at += lt;
    k.slope2 = at += lh;
    k.rstd1 = at += lh;
    k.rstd2 = at + kLanes;
    return k;
  }

private:
  /// Null where there is no arena, and sizes alone are asked for.
  float *take(size_t n) {
    float *at = arena_ ? arena_ + floats : nullptr;
    floats += n;
    return at;
  }
  Lines series() { return {take(shape_.C * series_step), series_step, kLanes}; }
  Lines token_lines() { return {take(shape_.L * token_step), kLanes, token_step}; }
  size_t kept_size() const {
    return 3 * shape_.C * series_step + 3 * shape_.L * token_step + 2 * shape_.L * hidden_step + 2 * kLanes;
  }
  float *arena_;
  const Shape &shape_;
  size_t kept_ = 0;
};

static size_t arena_floats(const Shape &s, bool training) { return Buffers(s, training, nullptr).floats; }

} // namespace SLU_PATH
} // namespace sluice
