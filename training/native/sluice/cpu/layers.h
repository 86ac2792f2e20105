// The layers of the network, forward and backward, for sixteen samples at a time: activation, dropout, layer norm, RevIN,
// blocks and heads. Every matrix product is weights times lines, of any shape, with nothing left over: time mixing
// multiplies [L, L] into the L lines of a channel, feature mixing [ff, C] into the C lines of a token. Layer norm moves
// from one order of the lines to the other.
//
// Forward keeps, per block, the inputs of the products, the hidden layer, and the local derivative of each activation with
// its dropout; backward multiplies by those and computes nothing again.
#pragma once
#include "cpu/kernels.h"
#include "cpu/products.h"
#include "cpu/buffers.h"

namespace sluice {
namespace SLU_PATH {

/// Activation of a line; `slope` becomes its derivative.
[[gnu::always_inline]] static inline Line activate(bool gelu, Line z, Line *slope) {
  if (!gelu) {
    *slope = positive(z, Line::of(1), Line::of(0));
    return positive(z, z, Line::of(0));
  }
  Line y;
  for (int i = 0; i < kParts; ++i) {
    const V x = z.v[i];
    const V phi = 0.5f + 0.5f * error_function(x * 0.70710678118654752f);
    const V density = exponential(x * x * -0.5f) * 0.39894228040143268f;
    y.v[i] = x * phi;
    slope->v[i] = fma(x, density, phi);
  }
  return y;
}

/// Writes the dropout of `n` neighbouring elements of a row: 0 or 1 / (1 - p) for each sample. Eight elements share a
/// Philox block, sixteen bits each.
static void drop(const Group &g, uint32_t site, uint32_t row, int n, float *lines) {
  static const uint32_t lanes[kLanes] __attribute__((aligned(64))) = {0, 1, 2,  3,  4,  5,  6,  7,
                                                                      8, 9, 10, 11, 12, 13, 14, 15};
  const V keep = splat(65536.0f / float(65536 - g.dropout));
  const VI limit = VI{} + int32_t(g.dropout);
  for (int first = 0; first < n; first += 8)
    for (int part = 0; part < kLanes; part += W) {
      const VU lane = *reinterpret_cast<const VU *>(lanes + part);
      VU block[4] = {VU{} + (row << 12 | uint32_t(first >> 3)), lane + g.position, VU{} + g.step, VU{} + (kDropout | site)};
      philox(g.key, block, wide_product);
      for (int e = 0; e < 8 && first + e < n; ++e) {
        const VI bits = (VI)(block[e >> 1] >> (e & 1 ? 16 : 0) & 0xFFFFu);
        store(lines + (first + e) * kLanes + part, bits >= limit ? keep : V{});
      }
    }
}

/// Layer norm over all of a sample's numbers: out = normal * gamma + beta, lines of `normal` kept if it has data.
static void normalise(const Shape &s, const Lines &x, const float *gamma, const float *beta, const Lines &out,
                      const Lines &normal, float *rstd) {
  const float size = 1.0f / (float(s.L) * float(s.C));
  Line total = Line::of(0);
  for (int c = 0; c < s.C; ++c) {
    Line a = Line::of(0), b = Line::of(0);
    int l = 0;
    for (; l + 1 < s.L; l += 2) {
      a = a + Line::at(x.at(l, c));
      b = b + Line::at(x.at(l + 1, c));
    }
    if (l < s.L) a = a + Line::at(x.at(l, c));
    total = total + (a + b);
  }
  const Line mean = total * Line::of(size);
  total = Line::of(0);
  for (int c = 0; c < s.C; ++c) {
    Line a = Line::of(0), b = Line::of(0);
    int l = 0;
    for (; l + 1 < s.L; l += 2) {
      const Line u = Line::at(x.at(l, c)) - mean, v = Line::at(x.at(l + 1, c)) - mean;
      a = fma(u, u, a);
      b = fma(v, v, b);
    }
    if (l < s.L) {
      const Line u = Line::at(x.at(l, c)) - mean;
      a = fma(u, u, a);
    }
    total = total + (a + b);
  }
  const Line scale = Line::of(1) / root(fma(total, Line::of(size), Line::of(kEpsilon)));
  scale.to(rstd);
  for (int c = 0; c < s.C; ++c)
    for (int l = 0; l < s.L; ++l) {
      const Line y = (Line::at(x.at(l, c)) - mean) * scale;
      if (normal.data) y.to(normal.at(l, c));
      fma(y, Line::of(gamma[size_t(l) * s.C + c]), Line::of(beta[size_t(l) * s.C + c])).to(out.at(l, c));
    }
}

/// What backward sums over a sample's numbers: the gradient, and the gradient times the normalised input.
struct Sums {
  Line plain, along;
};

/// Sums over N neighbouring channels; their gradients of gamma and beta are added.
template <int N>
static inline Sums denormalise_sums(const Shape &s, const Lines &back, const Lines &normal, const float *gamma, int c,
                                    float *gamma_d, float *beta_d) {
  Sums sums{Line::of(0), Line::of(0)};
  for (int l = 0; l < s.L; ++l) {
    const size_t at = size_t(l) * s.C + c;
    V by_gamma[4] = {}, by_beta[4] = {};
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      const Line g = Line::at(back.at(l, c + i)), y = Line::at(normal.at(l, c + i)), gy = g * y;
      sums.plain = fma(g, Line::of(gamma[at + i]), sums.plain);
      sums.along = fma(gy, Line::of(gamma[at + i]), sums.along);
      by_gamma[i] = gy.together();
      by_beta[i] = g.together();
    }
    add_sums<N>(gamma_d + at, by_gamma);
    add_sums<N>(beta_d + at, by_beta);
  }
  return sums;
}

/// Backward through `normalise`: d += the gradient of its input; gradients of gamma and beta are added.
static void denormalise(const Shape &s, const Lines &back, const Lines &normal, const float *gamma, const float *rstd,
                        const Lines &d, float *gamma_d, float *beta_d) {
  Sums total{Line::of(0), Line::of(0)};
  for (int c = 0; c < s.C;) {
    const bool four = c + 4 <= s.C;
    const Sums sums = four ? denormalise_sums<4>(s, back, normal, gamma, c, gamma_d, beta_d)
                           : denormalise_sums<1>(s, back, normal, gamma, c, gamma_d, beta_d);
    total = {total.plain + sums.plain, total.along + sums.along};
    c += four ? 4 : 1;
  }
  const Line size = Line::of(1.0f / (float(s.L) * float(s.C)));
  const Line mean = total.plain * size, slope = total.along * size, scale = Line::at(rstd);
  for (int c = 0; c < s.C; ++c)
    for (int l = 0; l < s.L; ++l) {
      const Line g = Line::at(back.at(l, c)) * Line::of(gamma[size_t(l) * s.C + c]);
      const Line inner = g - fma(Line::at(normal.at(l, c)), slope, mean);
      fma(inner, scale, Line::at(d.at(l, c))).to(d.at(l, c));
    }
}

/// Windows into lines, and through RevIN if there is one.
static void read_windows(const Group &g, const Buffers &b) {
  const Shape &s = *g.shape;
  for (int l = 0; l < s.L; ++l)
    for (int c = 0; c < s.C; ++c) {
      float *line = b.x.at(l, c);
      for (int i = 0; i < kLanes; ++i) line[i] = g.windows[i][size_t(l) * s.C + c];
    }
  if (!s.revin) return;
  const Line size = Line::of(1.0f / float(s.L));
  for (int c = 0; c < s.C; ++c) {
    Line sum = Line::of(0), squares = Line::of(0);
    for (int l = 0; l < s.L; ++l) sum = sum + Line::at(b.x.at(l, c));
    const Line mean = sum * size;
    for (int l = 0; l < s.L; ++l) {
      const Line u = Line::at(b.x.at(l, c)) - mean;
      squares = fma(u, u, squares);
    }
    const Line deviation = root(fma(squares, size, Line::of(kEpsilon)));
    mean.to(b.mean + c * kLanes);
    deviation.to(b.deviation + c * kLanes);
    const Line scale = Line::of(1) / deviation;
    const Line weight = Line::of(g.parameters[s.revin_w() + c]), bias = Line::of(g.parameters[s.revin_b() + c]);
    for (int l = 0; l < s.L; ++l) {
      const Line y = (Line::at(b.x.at(l, c)) - mean) * scale;
      if (b.raw.data) y.to(b.raw.at(l, c));
      fma(y, weight, bias).to(b.x.at(l, c));
    }
  }
}

template <bool Training> static void block_forward(const Group &g, const Buffers &b, int index) {
  const Shape &s = *g.shape;
  const Shape::Block at = s.block(index);
  const Shape::Packed packed = s.packed(index);
  const float *p = g.parameters;
  const bool dropping = Training && g.dropout > 0;
  const uint32_t site = 3 * index;
  const Kept kept = Training ? b.block(index) : Kept{};
  float scratch[kLanes] __attribute__((aligned(64)));

  const Lines series = Training ? kept.input1 : Lines{b.normal, b.series_step, kLanes};
  normalise(s, b.x, p + at.gamma1, p + at.beta1, series, kept.normal1, Training ? kept.rstd1 : scratch);
  for (int c = 0; dropping && c < s.C; ++c) drop(g, site, c, s.L, kept.slope1.at(0, c));
  multiply(g.packed + packed.time, s.L, s.L, series.data, kLanes, s.C, b.series_step, [&](int l, int c, Line y) __attribute__((always_inline)) {
    Line slope;
    y = activate(s.gelu, y + Line::of(p[at.time_b + l]), &slope);
    if (dropping) {
      const Line mask = Line::at(kept.slope1.at(l, c));
      y = y * mask;
      slope = slope * mask;
    }
    if (Training) slope.to(kept.slope1.at(l, c));
    (Line::at(b.x.at(l, c)) + y).to(b.x.at(l, c));
  });

  const Lines tokens = Training ? kept.input2 : Lines{b.normal, kLanes, b.token_step};
  normalise(s, b.x, p + at.gamma2, p + at.beta2, tokens, kept.normal2, Training ? kept.rstd2 : scratch);
  for (int l = 0; dropping && l < s.L; ++l) {
    drop(g, site + 1, l, s.F, kept.slope2 + l * b.hidden_step);
    drop(g, site + 2, l, s.C, kept.mask.at(l, 0));
  }
  for (int l0 = 0; l0 < s.L; l0 += kColumns) {
    const int wide = s.L - l0 < kColumns ? s.L - l0 : kColumns;
    float *hidden = Training ? kept.hidden + l0 * b.hidden_step : b.panel();
    float *slopes = Training ? kept.slope2 + l0 * b.hidden_step : nullptr;
    multiply(g.packed + packed.up, s.F, s.C, tokens.at(l0, 0), kLanes, wide, b.token_step, [&](int f, int n, Line y) __attribute__((always_inline)) {
      Line slope;
      y = activate(s.gelu, y + Line::of(p[at.up_b + f]), &slope);
      const size_t place = n * b.hidden_step + f * kLanes;
      if (dropping) {
        const Line mask = Line::at(slopes + place);
        y = y * mask;
        slope = slope * mask;
      }
      if (Training) slope.to(slopes + place);
      y.to(hidden + place);
    });
    multiply(g.packed + packed.down, s.C, s.F, hidden, kLanes, wide, b.hidden_step, [&](int c, int n, Line y) __attribute__((always_inline)) {
      y = y + Line::of(p[at.down_b + c]);
      if (dropping) y = y * Line::at(kept.mask.at(l0 + n, c));
      (Line::at(b.x.at(l0 + n, c)) + y).to(b.x.at(l0 + n, c));
    });
  }
}

/// Backward through a block: b.d from the gradient of its output to that of its input.
static void block_backward(const Group &g, const Buffers &b, int index, float *gradient) {
  const Shape &s = *g.shape;
  const Shape::Block at = s.block(index);
  const Shape::Packed packed = s.packed(index);
  const float *p = g.parameters;
  const Kept kept = b.block(index);

  const Lines into = g.dropout > 0 ? b.tokens : b.d; // gradient of the second feature layer's output
  for (int l = 0; g.dropout > 0 && l < s.L; ++l)
    for (int c = 0; c < s.C; ++c) (Line::at(b.d.at(l, c)) * Line::at(kept.mask.at(l, c))).to(into.at(l, c));
  const Lines tokens{b.back, kLanes, b.token_step};
  for (int l0 = 0; l0 < s.L; l0 += kColumns) {
    const int wide = s.L - l0 < kColumns ? s.L - l0 : kColumns;
    float *slopes = kept.slope2 + l0 * b.hidden_step;
    multiply(g.packed + packed.down_t, s.F, s.C, into.at(l0, 0), into.c_step, wide, into.l_step,
             [&](int f, int n, Line y) __attribute__((always_inline)) {
               float *slope = slopes + n * b.hidden_step + f * kLanes;
               (y * Line::at(slope)).to(slope);
             });
    multiply(g.packed + packed.up_t, s.C, s.F, slopes, kLanes, wide, b.hidden_step,
             [&](int c, int n, Line y) __attribute__((always_inline)) { y.to(tokens.at(l0 + n, c)); });
  }
  outer(into.data, s.C, into.c_step, into.l_step, kept.hidden, s.F, b.hidden_step, s.L, gradient + at.down_w);
  outer_ones(into.data, s.C, into.c_step, into.l_step, s.L, gradient + at.down_b);
  outer(kept.slope2, s.F, kLanes, b.hidden_step, kept.input2.data, s.C, b.token_step, s.L, gradient + at.up_w);
  outer_ones(kept.slope2, s.F, kLanes, b.hidden_step, s.L, gradient + at.up_b);
  denormalise(s, tokens, kept.normal2, p + at.gamma2, kept.rstd2, b.d, gradient + at.gamma2, gradient + at.beta2);

  for (int c = 0; c < s.C; ++c)
    for (int l = 0; l < s.L; ++l)
      (Line::at(kept.slope1.at(l, c)) * Line::at(b.d.at(l, c))).to(kept.slope1.at(l, c));
  const Lines series{b.back, b.series_step, kLanes};
  multiply(g.packed + packed.time_t, s.L, s.L, kept.slope1.data, kLanes, s.C, b.series_step,
           [&](int l, int c, Line y) __attribute__((always_inline)) { y.to(series.at(l, c)); });
  outer(kept.slope1.data, s.L, kLanes, b.series_step, kept.input1.data, s.L, b.series_step, s.C, gradient + at.time_w);
  outer_ones(kept.slope1.data, s.L, kLanes, b.series_step, s.C, gradient + at.time_b);
  denormalise(s, series, kept.normal1, p + at.gamma1, kept.rstd1, b.d, gradient + at.gamma1, gradient + at.beta1);
}

/// Output (h, c) as a line at output + (c * H + h) * 16.
static void head_forward(const Group &g, const Buffers &b) {
  const Shape &s = *g.shape;
  const float *bias = g.parameters + s.head_b();
  if (!s.flat) {
    multiply(g.packed + s.packed_head(), s.H, s.L, b.x.data, kLanes, s.kept, b.series_step, [&](int h, int c, Line y) __attribute__((always_inline)) {
      y = y + Line::of(bias[h]);
      if (s.revin) {
        const Line weight = Line::of(g.parameters[s.revin_w() + c]), shift = Line::of(g.parameters[s.revin_b() + c]);
        y = fma((y - shift) / weight, Line::at(b.deviation + c * kLanes), Line::at(b.mean + c * kLanes));
      }
      y.to(b.output + (size_t(c) * s.H + h) * kLanes);
    });
    return;
  }
  for (int h = 0; h < s.H; ++h) {
    const float *weight = g.parameters + s.head_w() + h * s.head_width();
    Line total = Line::of(bias[h]);
    for (int c = 0; c < s.C; ++c) {
      Line sums[4] = {Line::of(0), Line::of(0), Line::of(0), Line::of(0)};
      for (int l = 0; l < s.L; ++l)
        sums[l & 3] = fma(Line::at(b.x.at(l, c)), Line::of(weight[size_t(l) * s.C + c]), sums[l & 3]);
      total = total + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
    total.to(b.output + size_t(h) * kLanes);
  }
}

/// From the gradient of the outputs to b.d, the gradient of the last block's output.
static void head_backward(const Group &g, const Buffers &b, float *gradient) {
  const Shape &s = *g.shape;
  if (s.flat) {
    for (int c = 0; c < s.C; ++c)
      for (int l = 0; l < s.L; ++l) Line::of(0).to(b.d.at(l, c));
    for (int h = 0; h < s.H; ++h) {
      const Line d = Line::at(b.output_d + size_t(h) * kLanes);
      const float *weight = g.parameters + s.head_w() + h * s.head_width();
      float *weight_d = gradient + s.head_w() + h * s.head_width();
      for (int c0 = 0; c0 < s.C; c0 += 4) {
        const int width = s.C - c0 < 4 ? s.C - c0 : 4;
        for (int l = 0; l < s.L; ++l) {
          V by[4] = {};
          for (int i = 0; i < width; ++i) {
            const size_t place = size_t(l) * s.C + c0 + i;
            by[i] = (d * Line::at(b.x.at(l, c0 + i))).together();
            fma(d, Line::of(weight[place]), Line::at(b.d.at(l, c0 + i))).to(b.d.at(l, c0 + i));
          }
          const V4 sums = sum4(by[0], by[1], by[2], by[3]);
          for (int i = 0; i < width; ++i) weight_d[size_t(l) * s.C + c0 + i] += sums[i];
        }
      }
      gradient[s.head_b() + h] += d.sum();
    }
    return;
  }
  const size_t column = size_t(s.H) * kLanes;
  for (int c = 0; s.revin && c < s.kept; ++c) {
    const Line weight = Line::of(g.parameters[s.revin_w() + c]), deviation = Line::at(b.deviation + c * kLanes);
    const Line mean = Line::at(b.mean + c * kLanes), slope = deviation / weight;
    Line weight_d = Line::of(0), bias_d = Line::of(0);
    for (int h = 0; h < s.H; ++h) {
      float *place = b.output_d + c * column + h * kLanes;
      const Line d = Line::at(place) * slope, y = (Line::at(b.output + c * column + h * kLanes) - mean) / deviation;
      weight_d = weight_d - d * y;
      bias_d = bias_d - d;
      d.to(place);
    }
    gradient[s.revin_w() + c] += weight_d.sum();
    gradient[s.revin_b() + c] += bias_d.sum();
  }
  outer(b.output_d, s.H, kLanes, column, b.x.data, s.L, b.series_step, s.kept, gradient + s.head_w());
  outer_ones(b.output_d, s.H, kLanes, column, s.kept, gradient + s.head_b());
  multiply(g.packed + s.packed_head_t(), s.L, s.H, b.output_d, kLanes, s.kept, column,
           [&](int l, int c, Line y) __attribute__((always_inline)) { y.to(b.d.at(l, c)); });
  for (int c = s.kept; c < s.C; ++c)
    for (int l = 0; l < s.L; ++l) Line::of(0).to(b.d.at(l, c));
}

} // namespace SLU_PATH
} // namespace sluice
