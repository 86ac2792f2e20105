// The network, forward and backward, for up to two samples of one member by one block of threads.
//
// The residual stream x and its gradient d lie token by token. Forward keeps in device memory only what went into each
// half of a block; backward takes that again and makes norms, hidden numbers, slopes and dropout anew, so a block of
// threads needs no more room for many blocks of the network than for one.
//
// Floors per sample and block of the network, in numbers: forward makes L L C + 2 L C F multiply-adds, backward twice
// that for the gradients and L L C + L C F more to make anew. Device memory sees 2 L C written and read of x, and each
// group of samples reads 2 L L + 4 C F packed weights (L2) and writes the gradient of all parameters once.
#pragma once
#include "cuda/block.h"

namespace sluice {

template <bool Tf32, bool Resident> class Pass : Block<Resident> {
public:
  /// `scratch`: this block's own, [plan.scratch]; `huber`: delta, 0 = squared error.
  __device__ __forceinline__ Pass(const Plan &plan, const DeviceData &data, float huber, Memory<float> scratch,
                                  Memory<double> loss_scratch)
      : Block<Resident>(plan, scratch), data_(data), huber_(huber), loss_scratch_(loss_scratch),
        products_(shared_ + kSlabsAt) {}

  /// Samples of a member; every thread calls `set(group)`, which no thread looks at behind the last barrier of a pass.
  template <class Set>
  __device__ __forceinline__ void begin(Memory<const float> parameters, Memory<const float> packed, const Set &set) {
    parameters_ = parameters;
    packed_ = packed;
    set(group_);
    __syncthreads();
  }

  template <bool Training> __device__ __forceinline__ void forward() {
    gather();
    if (s_.revin) revin_forward();
#pragma unroll 1
    for (int b = 0; b < s_.blocks; ++b) {
      if (Training) save(2 * b);
      time_forward<Training>(b);
      if (Training) save(2 * b + 1);
      feature_forward<Training>(b);
    }
    head_forward();
  }

  /// Number (h, c) of sample s, after `forward`.
  __device__ __forceinline__ float output(int s, int h, int c) const {
    return outputs(s)[h * plan_.KP + c];
  }

  /// Sum over the live samples of weight * loss, in thread 0; `Slopes`: leaves the gradient of the outputs.
  template <bool Slopes> __device__ __forceinline__ double loss() {
    const float per_output = 1.0f / float(s_.outputs());
    const bool taught = Slopes && group_.lambda() > 0 && data_.teacher != nullptr;
    const int each = plan_.HP * plan_.KP;
    double total = 0;
    for (int at = int(threadIdx.x); at < plan_.G * each; at += kThreads) {
      const int s = at / each, h = at % each / plan_.KP, c = at % plan_.KP;
      float slope = 0;
      if (s < group_.live() && h < s_.H && c < s_.columns()) {
        const size_t id = group_.id(s), place = id * s_.outputs() + size_t(h) * s_.columns() + c;
        const float weight = (data_.weights != nullptr ? data_.weights[id] : 1.0f) * per_output;
        const float y = output(s, h, c), off = y - target(s, h, c);
        double loss = double(off) * off;
        slope = 2 * off;
        if (huber_ > 0) {
          const bool inner = fabsf(off) <= huber_;
          loss = inner ? 0.5 * loss : huber_ * (fabs(double(off)) - 0.5 * huber_);
          slope = inner ? off : off > 0 ? huber_ : -huber_;
        }
        if (taught) {
          const float from_teacher = y - data_.teacher[place];
          if (from_teacher == from_teacher || y != y) { // NaN: this number has no teacher
            loss += double(group_.lambda()) * from_teacher * from_teacher;
            slope += 2 * group_.lambda() * from_teacher;
          }
        }
        total += loss * weight;
        slope *= weight * group_.share();
      }
      if (Slopes) scratch_[plan_.output_d + at] = slope;
    }
    total = sum_over_warp(total);
    if (lane_of() == 0) loss_scratch_[warp_of()] = total;
    __syncthreads();
    total = 0;
    for (int w = 0; threadIdx.x == 0 && w < kWarps; ++w) total += loss_scratch_[w];
    return total;
  }

  /// After `forward` and `loss`: the gradient of all parameters. `first`: it replaces what is there, else it is added.
  __device__ __forceinline__ void backward(Memory<float> gradient, bool first) {
    gradient_ = gradient;
    first_ = first;
    head_backward();
#pragma unroll 1
    for (int b = s_.blocks - 1; b >= 0; --b) {
      feature_backward(b);
      time_backward(b);
    }
    if (s_.revin) revin_backward();
  }

private:
  using B = Block<Resident>;
  using B::plan_, B::s_, B::shared_, B::scratch_, B::group_;
  using B::stream, B::stream_d, B::back, B::input, B::hidden, B::hidden_d, B::scales, B::outputs, B::output_slopes;
  using B::rows, B::columns, B::token, B::series, B::live_row, B::live_column;
  using B::over_samples, B::over_window, B::over_places, B::sum_over_block;
  using B::draw_time, B::draw_feature, B::kept_time, B::kept_up, B::kept_down;
  using Products = std::conditional_t<Resident, ResidentProducts<Tf32>, StagedProducts<Tf32>>;

  const DeviceData &data_;
  const float huber_;
  Memory<double> loss_scratch_;
  Products products_;
  Memory<const float> parameters_, packed_;
  Memory<float> gradient_;
  bool first_ = true;

  __device__ __forceinline__ static View by_token(Memory<const float> a, int row) { return {a, 1, row}; } // k along a row
  __device__ __forceinline__ static View by_row(Memory<const float> a, int row) { return {a, row, 1}; }   // k along rows
  __device__ __forceinline__ Packed weights(size_t at, int K) const { return {packed_ + at, up_to(K, 8) / 8}; }
  __device__ __forceinline__ void add_gradient(size_t p, float value) const {
    gradient_[p] = first_ ? value : gradient_[p] + value;
  }

  /// Activation of z; `slope` becomes its derivative.
  __device__ __forceinline__ float activate(float z, float &slope) const {
    if (!s_.gelu) {
      slope = z > 0 ? 1.0f : 0.0f;
      return z > 0 ? z : 0.0f;
    }
    const float phi = 0.5f + 0.5f * erff(z * 0.70710678118654752f);
    const float density = expf(z * z * -0.5f) * 0.39894228040143268f;
    slope = fmaf(z, density, phi);
    return z * phi;
  }

  // Windows and norms

  /// First number of sample s's window.
  __device__ __forceinline__ Memory<const float> window(int s) const {
    return data_.series + (size_t(data_.ends[group_.id(s)]) - s_.L + 1) * s_.C;
  }
  __device__ __forceinline__ float target(int s, int h, int c) const {
    if (data_.targets != nullptr) return data_.targets[group_.id(s) * s_.outputs() + size_t(h) * s_.columns() + c];
    return data_.series[(size_t(data_.ends[group_.id(s)]) + 1 + h) * s_.C + c];
  }

  __device__ __forceinline__ void gather() {
    for (int s = 0; s < plan_.G; ++s) {
      const Memory<const float> from = window(s);
      over_places([&](int l, int c, bool live) { stream()[token(s, l, c)] = live ? from[l * s_.C + c] : 0.0f; });
    }
    __syncthreads();
  }

  /// Keeps the residual stream in device memory; `restore` takes it back in the same threads.
  __device__ __forceinline__ void save(int which) {
    for (int s = 0; s < plan_.G; ++s)
      over_window([&](int l, int c) { saved(which, s)[l * s_.C + c] = stream()[token(s, l, c)]; });
  }
  __device__ __forceinline__ void restore(int which) {
    for (int s = 0; s < plan_.G; ++s)
      over_window([&](int l, int c) { stream()[token(s, l, c)] = saved(which, s)[l * s_.C + c]; });
  }
  __device__ __forceinline__ Memory<float> saved(int which, int s) const {
    return scratch_ + (plan_.saved + (size_t(which) * plan_.G + s) * s_.L * s_.C);
  }

  /// Layer norm over all of a sample's numbers into `input`, in the order of tokens or of series; `Keep`: the stream
  /// becomes the norm before gamma and beta, and `scales` its factors. The caller's barrier stands behind it.
  template <bool Series, bool Keep> __device__ __forceinline__ void normalise(size_t gamma_at, size_t beta_at) {
    const float size = 1.0f / (float(s_.L) * float(s_.C));
    float mean[kMostSamples] = {}, scale[kMostSamples] = {};
    over_samples([&](int s) { over_window([&](int l, int c) { mean[s] += stream()[token(s, l, c)]; }); });
    sum_over_block(mean);
    over_samples([&](int s) {
      mean[s] *= size;
      over_window([&](int l, int c) {
        const float u = stream()[token(s, l, c)] - mean[s];
        scale[s] = fmaf(u, u, scale[s]);
      });
    });
    sum_over_block(scale);
    const Memory<const float> gamma = parameters_ + gamma_at, beta = parameters_ + beta_at;
    over_samples([&](int s) {
      scale[s] = 1.0f / sqrtf(fmaf(scale[s], size, kEpsilon));
      if (Keep && threadIdx.x == 0) scales()[s] = scale[s];
      over_places([&](int l, int c, bool live) {
        float y = 0;
        if (live) {
          y = (stream()[token(s, l, c)] - mean[s]) * scale[s];
          if (Keep) stream()[token(s, l, c)] = y;
          y = fmaf(y, gamma[l * s_.C + c], beta[l * s_.C + c]);
        }
        input()[Series ? series(s, l, c) : token(s, l, c)] = y;
      });
    });
  }

  /// Backward through `normalise<.., Keep>`: `back` holds the gradient of its output; that of its input is added to the
  /// stream's.
  __device__ __forceinline__ void denormalise(size_t gamma_at, size_t beta_at) {
    float sums[2 * kMostSamples] = {}; // of each sample: the gradient, and the gradient along the norm
    const Memory<const float> gamma = parameters_ + gamma_at;
    over_window([&](int l, int c) {
      const int at = l * s_.C + c;
      const float weight = gamma[at];
      float gamma_d = 0, beta_d = 0;
      over_samples([&](int s) {
        const float g = back()[token(s, l, c)], y = stream()[token(s, l, c)];
        gamma_d = fmaf(g, y, gamma_d);
        beta_d += g;
        sums[2 * s] = fmaf(g, weight, sums[2 * s]);
        sums[2 * s + 1] = fmaf(g * y, weight, sums[2 * s + 1]);
      });
      add_gradient(gamma_at + at, gamma_d);
      add_gradient(beta_at + at, beta_d);
    });
    sum_over_block(sums);
    const float size = 1.0f / (float(s_.L) * float(s_.C));
    over_samples([&](int s) {
      const float mean = sums[2 * s] * size, slope = sums[2 * s + 1] * size, scale = scales()[s];
      over_window([&](int l, int c) {
        const int at = token(s, l, c);
        const float inner = back()[at] * gamma[l * s_.C + c] - fmaf(stream()[at], slope, mean);
        stream_d()[at] = fmaf(inner, scale, stream_d()[at]);
      });
    });
    __syncthreads();
  }

  // Blocks, forward

  template <bool Training> __device__ __forceinline__ void time_forward(int b) {
    const Shape::Block at = s_.block(b);
    const size_t packed = b * plan_.packed_block.size + plan_.packed_block.time;
    if (Training) draw_time(b);
    normalise<true, false>(at.gamma1, at.beta1);
    __syncthreads();
    products_.multiply(weights(packed, s_.L), plan_.LP, by_row(input(), plan_.series_row), columns(), plan_.LP,
                       [&](int l, int n, float z) {
                         int s, c;
                         if (!live_column(n, s, c) || l >= s_.L) return;
                         float slope;
                         float y = activate(z + parameters_[at.time_b + l], slope);
                         if (Training) y *= kept_time(s, l, c);
                         stream()[token(s, l, c)] += y;
                       });
    __syncthreads();
  }

  template <bool Training> __device__ __forceinline__ void feature_forward(int b) {
    const Shape::Block at = s_.block(b);
    const size_t packed = b * plan_.packed_block.size;
    if (Training) draw_feature(b);
    normalise<false, false>(at.gamma2, at.beta2);
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.up, s_.C), plan_.FP, by_token(input(), plan_.token_row), rows(),
                       plan_.CP, [&](int f, int row, float z) {
                         int s, l;
                         float y = 0, slope;
                         if (live_row(row, s, l) && f < s_.F) {
                           y = activate(z + parameters_[at.up_b + f], slope);
                           if (Training) y *= kept_up(s, l, f);
                         }
                         hidden()[row * plan_.hidden_row + f] = y;
                       });
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.down, s_.F), plan_.CP, by_token(hidden(), plan_.hidden_row), rows(),
                       plan_.FP, [&](int c, int row, float z) {
                         int s, l;
                         if (!live_row(row, s, l) || c >= s_.C) return;
                         float y = z + parameters_[at.down_b + c];
                         if (Training) y *= kept_down(s, l, c);
                         stream()[token(s, l, c)] += y;
                       });
    __syncthreads();
  }

  // Blocks, backward: d from the gradient of a half's output to that of its input

  __device__ __forceinline__ void feature_backward(int b) {
    const Shape::Block at = s_.block(b);
    const size_t packed = b * plan_.packed_block.size;
    restore(2 * b + 1);
    draw_feature(b);
    normalise<false, true>(at.gamma2, at.beta2);
    for (int s = 0; s < plan_.G; ++s) // the gradient of the second layer's output
      over_places([&](int l, int c, bool live) {
        back()[token(s, l, c)] = live ? stream_d()[token(s, l, c)] * kept_down(s, l, c) : 0.0f;
      });
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.up, s_.C), plan_.FP, by_token(input(), plan_.token_row), rows(),
                       plan_.CP, [&](int f, int row, float z) {
                         int s, l;
                         float y = 0, slope = 0;
                         if (live_row(row, s, l) && f < s_.F) {
                           const float mask = kept_up(s, l, f);
                           y = activate(z + parameters_[at.up_b + f], slope) * mask;
                           slope *= mask;
                         }
                         hidden()[row * plan_.hidden_row + f] = y;
                         hidden_d()[row * plan_.hidden_row + f] = slope;
                       });
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.down_t, s_.C), plan_.FP, by_token(back(), plan_.token_row), rows(),
                       plan_.CP, [&](int f, int row, float g) { hidden_d()[row * plan_.hidden_row + f] *= g; });
    __syncthreads();
    products_.multiply(by_row(back(), plan_.token_row), plan_.CP, by_row(hidden(), plan_.hidden_row), plan_.FP, rows(),
                       gradient_of(at.down_w, s_.C, s_.F), bias_of(at.down_b, s_.C));
    products_.multiply(by_row(hidden_d(), plan_.hidden_row), plan_.FP, by_row(input(), plan_.token_row), plan_.CP, rows(),
                       gradient_of(at.up_w, s_.F, s_.C), bias_of(at.up_b, s_.F));
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.up_t, s_.F), plan_.CP, by_token(hidden_d(), plan_.hidden_row), rows(),
                       plan_.FP, [&](int c, int row, float g) { back()[row * plan_.token_row + c] = g; });
    __syncthreads();
    denormalise(at.gamma2, at.beta2);
  }

  __device__ __forceinline__ void time_backward(int b) {
    const Shape::Block at = s_.block(b);
    const size_t packed = b * plan_.packed_block.size;
    restore(2 * b);
    draw_time(b);
    normalise<true, true>(at.gamma1, at.beta1);
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.time, s_.L), plan_.LP, by_row(input(), plan_.series_row), columns(),
                       plan_.LP, [&](int l, int n, float z) {
                         int s, c;
                         float slope = 0;
                         if (live_column(n, s, c) && l < s_.L) {
                           activate(z + parameters_[at.time_b + l], slope);
                           slope *= kept_time(s, l, c) * stream_d()[token(s, l, c)];
                         }
                         hidden()[l * plan_.series_row + n] = slope;
                       });
    __syncthreads();
    products_.multiply(by_token(hidden(), plan_.series_row), plan_.LP, by_token(input(), plan_.series_row), plan_.LP, columns(),
                       gradient_of(at.time_w, s_.L, s_.L), bias_of(at.time_b, s_.L));
    products_.multiply(weights(packed + plan_.packed_block.time_t, s_.L), plan_.LP, by_row(hidden(), plan_.series_row), columns(),
                       plan_.LP, [&](int l, int n, float g) {
                         int s, c;
                         if (live_column(n, s, c) && l < s_.L) back()[token(s, l, c)] = g;
                       });
    __syncthreads();
    denormalise(at.gamma1, at.beta1);
  }

  /// Takes the elements of a weight matrix's gradient [rows, columns].
  __device__ __forceinline__ auto gradient_of(size_t at, int rows, int columns) const {
    return [=](int m, int n, float g) {
      if (m < rows && n < columns) add_gradient(at + size_t(m) * columns + n, g);
    };
  }
  __device__ __forceinline__ auto bias_of(size_t at, int rows) const {
    return rows_to([=](int m, float g) {
      if (m < rows) add_gradient(at + m, g);
    });
  }

  // Heads

  __device__ __forceinline__ void head_forward() {
    if (s_.flat) return flat_forward();
    for (int s = 0; s < plan_.G; ++s)
      products_.multiply(weights(plan_.packed_head, s_.L), plan_.HP, by_row(stream() + token(s, 0, 0), plan_.token_row), plan_.KP,
                         plan_.LP, [&](int h, int c, float y) {
                           if (h >= s_.H || c >= s_.kept) return;
                           y += parameters_[s_.head_b() + h];
                           if (s_.revin) {
                             const float weight = parameters_[s_.revin_w() + c], shift = parameters_[s_.revin_b() + c];
                             y = fmaf((y - shift) / weight, revin_deviation(s, c), revin_mean(s, c));
                           }
                           outputs(s)[h * plan_.KP + c] = y;
                         });
    __syncthreads();
  }

  __device__ __forceinline__ void flat_forward() {
    for (int h = 0; h < s_.H; ++h) {
      const Memory<const float> weight = parameters_ + (s_.head_w() + h * s_.head_width());
      float sums[kMostSamples] = {};
      over_window([&](int l, int c) {
        over_samples([&](int s) { sums[s] = fmaf(stream()[token(s, l, c)], weight[l * s_.C + c], sums[s]); });
      });
      sum_over_block(sums);
      over_samples([&](int s) {
        if (threadIdx.x == 0) outputs(s)[h * plan_.KP] = sums[s] + parameters_[s_.head_b() + h];
      });
    }
    __syncthreads();
  }

  /// From the gradient of the outputs to that of the stream; each thread has its own tokens and channels of it.
  __device__ __forceinline__ void head_backward() {
    if (s_.flat) return flat_backward();
    if (s_.revin) revin_head_backward();
    const bool first = first_;
    for (int s = 0; s < plan_.G; ++s) { // in their order
      products_.multiply(by_token(output_slopes(s), plan_.KP), plan_.HP, by_token(stream() + token(s, 0, 0), plan_.token_row),
                         plan_.LP, plan_.KP, gradient_of(s_.head_w(), s_.H, s_.L), bias_of(s_.head_b(), s_.H));
      first_ = false;
      products_.multiply(weights(plan_.packed_head_t, s_.H), plan_.LP, by_row(output_slopes(s), plan_.KP), plan_.KP, plan_.HP,
                         [&](int l, int c, float g) {
                           if (l < s_.L && c < s_.kept) stream_d()[token(s, l, c)] = g;
                         });
      __syncthreads();
    }
    first_ = first;
    for (int s = 0; s < plan_.G; ++s)
      over_window([&](int l, int c) {
        if (c >= s_.kept) stream_d()[token(s, l, c)] = 0.0f;
      });
  }

  __device__ __forceinline__ void flat_backward() {
    over_window([&](int l, int c) {
      float d[kMostSamples] = {};
      for (int h = 0; h < s_.H; ++h) {
        const size_t p = s_.head_w() + h * s_.head_width() + l * s_.C + c;
        const float weight = parameters_[p];
        float weight_d = 0;
        over_samples([&](int s) {
          const float g = output_slopes(s)[h * plan_.KP];
          weight_d = fmaf(g, stream()[token(s, l, c)], weight_d);
          d[s] = fmaf(g, weight, d[s]);
        });
        add_gradient(p, weight_d);
      }
      over_samples([&](int s) { stream_d()[token(s, l, c)] = d[s]; });
    });
    for (int h = int(threadIdx.x); h < s_.H; h += kThreads) {
      float bias_d = 0;
      over_samples([&](int s) { bias_d += output_slopes(s)[h * plan_.KP]; });
      add_gradient(s_.head_b() + h, bias_d);
    }
  }

  // RevIN

  __device__ __forceinline__ float revin_mean(int s, int c) const { return scratch_[plan_.revin + size_t(s) * s_.C + c]; }
  __device__ __forceinline__ float revin_deviation(int s, int c) const {
    return scratch_[plan_.revin + (size_t(plan_.G) + s) * s_.C + c];
  }

  /// Each channel of each window, by one warp.
  __device__ __forceinline__ void revin_forward() {
    for (int at = warp_of(); at < plan_.G * s_.C; at += kWarps) {
      const int s = at >= s_.C, c = at - s * s_.C;
      const float size = 1.0f / float(s_.L);
      float sum = 0, squares = 0;
      for (int l = lane_of(); l < s_.L; l += kWarp) sum += stream()[token(s, l, c)];
      const float mean = sum_over_warp(sum) * size;
      for (int l = lane_of(); l < s_.L; l += kWarp) {
        const float u = stream()[token(s, l, c)] - mean;
        squares = fmaf(u, u, squares);
      }
      const float deviation = sqrtf(fmaf(sum_over_warp(squares), size, kEpsilon));
      if (lane_of() == 0) {
        scratch_[plan_.revin + at] = mean;
        scratch_[plan_.revin + size_t(plan_.G) * s_.C + at] = deviation;
      }
      const float weight = parameters_[s_.revin_w() + c], bias = parameters_[s_.revin_b() + c], scale = 1.0f / deviation;
      for (int l = lane_of(); l < s_.L; l += kWarp)
        stream()[token(s, l, c)] = fmaf((stream()[token(s, l, c)] - mean) * scale, weight, bias);
    }
    __syncthreads();
  }

  /// Gradients of the way out of RevIN; the slopes of the outputs become those before it.
  __device__ __forceinline__ void revin_head_backward() {
    for (int c = warp_of(); c < s_.C; c += kWarps) {
      float weight_d = 0, bias_d = 0;
      for (int s = 0; s < plan_.G && c < s_.kept; ++s) {
        const float deviation = revin_deviation(s, c), slope = deviation / parameters_[s_.revin_w() + c];
        for (int h = lane_of(); h < s_.H; h += kWarp) {
          const float d = output_slopes(s)[h * plan_.KP + c] * slope;
          weight_d -= d * ((output(s, h, c) - revin_mean(s, c)) / deviation);
          bias_d -= d;
          output_slopes(s)[h * plan_.KP + c] = d;
        }
      }
      weight_d = sum_over_warp(weight_d);
      bias_d = sum_over_warp(bias_d);
      if (lane_of() == 0) {
        add_gradient(s_.revin_w() + c, weight_d);
        add_gradient(s_.revin_b() + c, bias_d);
      }
    }
    __syncthreads();
  }

  /// Gradients of the way into RevIN, from d and the windows as they came.
  __device__ __forceinline__ void revin_backward() {
    for (int c = warp_of(); c < s_.C; c += kWarps) {
      float weight_d = 0, bias_d = 0;
      for (int s = 0; s < plan_.G; ++s) {
        const float scale = 1.0f / revin_deviation(s, c), mean = revin_mean(s, c);
        for (int l = lane_of(); l < s_.L; l += kWarp) {
          const float d = stream_d()[token(s, l, c)];
          weight_d = fmaf(d, (window(s)[l * s_.C + c] - mean) * scale, weight_d);
          bias_d += d;
        }
      }
      weight_d = sum_over_warp(weight_d);
      bias_d = sum_over_warp(bias_d);
      if (lane_of() == 0) {
        gradient_[s_.revin_w() + c] += weight_d;
        gradient_[s_.revin_b() + c] += bias_d;
      }
    }
    __syncthreads();
  }
};

} // namespace sluice
