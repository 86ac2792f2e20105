// What `Kernels` names: the passes over a group of samples, its loss, and AdamW. Compiled once for each instruction set
// (see CMakeLists.txt).
#include "cpu/layers.h"

namespace sluice {
namespace SLU_PATH {

/// Sum over the samples of weight * loss; with `d`, the gradient of the step's loss by each output.
static double loss_of(const Group &g, const Buffers &b, float *d) {
  const Shape &s = *g.shape;
  const float per_output = 1.0f / float(s.outputs());
  const bool taught = d && g.lambda > 0;
  double total = 0;
  for (int i = 0; i < kLanes; ++i) {
    const bool live = i < g.live;
    const float weight = live ? g.weights[i] * per_output : 0;
    double loss = 0;
    for (int h = 0; h < s.H; ++h)
      for (int c = 0; c < s.columns(); ++c) {
        const size_t place = (size_t(c) * s.H + h) * kLanes + i;
        const float y = b.output[place], off = y - g.targets[i][size_t(h) * g.target_row + c];
        float slope = 2 * off;
        if (!g.huber) loss += double(off) * off;
        else if (__builtin_fabsf(off) <= g.huber_delta) loss += 0.5 * off * off, slope = off;
        else {
          loss += g.huber_delta * (__builtin_fabs(double(off)) - 0.5 * g.huber_delta);
          slope = off > 0 ? g.huber_delta : -g.huber_delta;
        }
        if (taught && g.teachers[i]) {
          const float from_teacher = y - g.teachers[i][size_t(h) * s.columns() + c];
          if (from_teacher == from_teacher || y != y) { // NaN: this number has no teacher
            loss += double(g.lambda) * from_teacher * from_teacher;
            slope += 2 * g.lambda * from_teacher;
          }
        }
        if (d) d[place] = live ? weight * g.share * slope : 0;
      }
    if (live) total += loss * weight;
  }
  return total;
}

template <bool Training> static void forward(const Group &g, const Buffers &b) {
  read_windows(g, b);
  for (int i = 0; i < g.shape->blocks; ++i) block_forward<Training>(g, b, i);
  head_forward(g, b);
}

static double learn(const Group &g, float *gradient) {
  const Shape &s = *g.shape;
  const Buffers b(s, true, g.arena);
  forward<true>(g, b);
  const double loss = loss_of(g, b, b.output_d) * g.share;
  head_backward(g, b, gradient);
  for (int i = s.blocks - 1; i >= 0; --i) block_backward(g, b, i, gradient);
  for (int c = 0; s.revin && c < s.C; ++c) {
    Line weight_d = Line::of(0), bias_d = Line::of(0);
    for (int l = 0; l < s.L; ++l) {
      weight_d = fma(Line::at(b.d.at(l, c)), Line::at(b.raw.at(l, c)), weight_d);
      bias_d = bias_d + Line::at(b.d.at(l, c));
    }
    gradient[s.revin_w() + c] += weight_d.sum();
    gradient[s.revin_b() + c] += bias_d.sum();
  }
  return loss;
}

static double predict(const Group &g, float *const *outputs) {
  const Shape &s = *g.shape;
  const Buffers b(s, false, g.arena);
  forward<false>(g, b);
  for (int i = 0; outputs && i < g.live; ++i)
    for (int h = 0; h < s.H; ++h)
      for (int c = 0; c < s.columns(); ++c)
        outputs[i][size_t(h) * s.columns() + c] = b.output[(size_t(c) * s.H + h) * kLanes + i];
  return g.targets[0] ? loss_of(g, b, nullptr) : 0;
}

static void adamw(float *__restrict p, float *__restrict first, float *__restrict second, const float *__restrict g,
                  size_t n, const AdamW &a) {
  const float rest1 = 1 - a.beta1, rest2 = 1 - a.beta2;
  for (size_t i = 0; i < n; ++i) {
    const float d = g[i] * a.gradient_scale;
    first[i] = a.beta1 * first[i] + rest1 * d;
    second[i] = a.beta2 * second[i] + rest2 * d * d;
    p[i] = p[i] * a.decay - a.step_size * (first[i] / (__builtin_sqrtf(second[i]) * a.second_scale + a.epsilon));
  }
}

} // namespace SLU_PATH

#define SLU_JOIN(a, b) a##b
#define SLU_KERNELS(path) SLU_JOIN(path, _kernels)
const Kernels SLU_KERNELS(SLU_PATH) = {SLU_NAME,          SLU_PATH::pack,    SLU_PATH::arena_floats,
                                       SLU_PATH::learn,   SLU_PATH::predict, SLU_PATH::adamw};

} // namespace sluice
