// The network, forward and backward, for up to four samples of one member by one block of threads.
//
// The residual stream x and its gradient d lie token by token. Forward keeps in device memory only what went into each
// half of a block; backward takes that again and makes norms, hidden numbers, slopes and dropout anew, so a block of
// threads needs no more room for many blocks of the network than for one.
//
// Floors per sample and block of the network, in numbers: forward makes L L C + 2 L C F multiply-adds, backward twice
// that for the gradients and L L C + L C F more to make anew. Device memory sees 2 L C written and read of x, and each
// group of samples reads 2 L L + 4 C F packed weights (L2) and writes the gradient of all parameters once.
#pragma once
#include "cuda/plan.h"
#include "philox.h"
#include <type_traits>

namespace sluice {

/// Samples, as they lie in device memory; see slu_tsmixer_data.
struct DeviceData {
  Memory<const float> series, targets, teacher, weights; // null where there are none
  Memory<const int32_t> ends;
};

/// What a pass is over: words of shared memory, so that they take no registers.
class Group {
public:
  __device__ __forceinline__ explicit Group(Memory<float> words) : words_(words) {}
  /// Sample of the series that stands at s; places beyond the live ones repeat the first sample and weigh nothing.
  __device__ __forceinline__ void id(int s, int32_t v) const { put(s, uint32_t(v)); }
  __device__ __forceinline__ size_t id(int s) const { return word(s); }
  /// For one thread.
  __device__ __forceinline__ void set(int live, float share, float lambda, uint32_t dropout, uint32_t step, uint32_t position,
                                      PhiloxKey key) const {
    put(kMostSamples, uint32_t(live));
    words_[kMostSamples + 1] = share;
    words_[kMostSamples + 2] = lambda;
    const uint32_t rest[] = {dropout, step, position, key.k0, key.k1};
    for (int i = 0; i < 5; ++i) put(kMostSamples + 3 + i, rest[i]);
    words_[kMostSamples + 8] = 65536.0f / float(65536u - dropout);
  }
  __device__ __forceinline__ int live() const { return int(word(kMostSamples)); }
  __device__ __forceinline__ float share() const { return words_[kMostSamples + 1]; }   // 1 / samples of the step
  __device__ __forceinline__ float lambda() const { return words_[kMostSamples + 2]; }  // weight of the teacher
  __device__ __forceinline__ uint32_t dropout() const { return word(kMostSamples + 3); } // of 65536
  __device__ __forceinline__ float keep() const { return words_[kMostSamples + 8]; } // 1 / (1 - p)
  __device__ __forceinline__ uint32_t step() const { return word(kMostSamples + 4); }
  __device__ __forceinline__ uint32_t position() const { return word(kMostSamples + 5); } // of the first sample in its batch
  __device__ __forceinline__ PhiloxKey key() const { return {word(kMostSamples + 6), word(kMostSamples + 7)}; }

private:
  __device__ __forceinline__ void put(int i, uint32_t v) const { words_[i] = __uint_as_float(v); }
  __device__ __forceinline__ uint32_t word(int i) const { return __float_as_uint(words_[i]); }
  Memory<float> words_;
};

template <bool Tf32, bool Resident> class Pass {
public:
  /// `scratch`: this block's own, [plan.scratch]; `parameters` [P]; `packed` [plan.packed].
  __device__ __forceinline__ Pass(const Plan &plan, const DeviceData &data, float huber, Memory<float> scratch,
                                  Memory<double> loss_scratch)
      : plan_(plan), s_(plan.shape), data_(data), huber_(huber), shared_(shared_memory()), scratch_(scratch),
        loss_scratch_(loss_scratch), group_(shared_ + kGroupAt), scale_(shared_ + kScaleAt), products_(shared_ + kSlabsAt) {
  }

  /// Samples of a member; `set(group)` is called by every thread between two barriers. `huber`: delta, 0 = squared error.
  template <class Set>
  __device__ __forceinline__ void begin(Memory<const float> parameters, Memory<const float> packed, const Set &set) {
    parameters_ = parameters;
    packed_ = packed;
    __syncthreads();
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
    return scratch_[plan_.output + (size_t(s) * plan_.HP + h) * plan_.KP + c];
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
#pragma unroll
    for (int over = kWarp / 2; over > 0; over /= 2) total += __shfl_xor_sync(kWholeWarp, total, over);
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
  using Products = std::conditional_t<Resident, ResidentProducts<Tf32>, StagedProducts<Tf32>>;

  const Plan &plan_;
  const Shape &s_;
  const DeviceData &data_;
  const float huber_;
  Memory<float> shared_, scratch_;
  Memory<double> loss_scratch_;
  const Group group_;
  Memory<float> scale_; // [samples] of the norm that is to be gone back through
  Products products_;
  Memory<const float> parameters_, packed_;
  Memory<float> gradient_;
  bool first_ = true;
  int turn_ = 0;

  // Buffers, as Plan describes them. They are computed where they are used: kept in registers, they would spill.

  __device__ __forceinline__ Memory<float> working() const { return Resident ? shared_ + plan_.small : scratch_; }
  __device__ __forceinline__ Memory<float> stream() const { return working() + plan_.stream; }
  __device__ __forceinline__ Memory<float> stream_d() const { return working() + plan_.stream_d; }
  __device__ __forceinline__ Memory<float> back() const { return working() + plan_.back; }
  __device__ __forceinline__ Memory<float> input() const { return working() + plan_.input; }
  __device__ __forceinline__ Memory<float> hidden() const { return working() + plan_.hidden; }
  __device__ __forceinline__ Memory<float> hidden_d() const { return working() + plan_.hidden_d; }
  __device__ __forceinline__ Memory<float> masks() const { return working() + plan_.masks; }

  // Places

  __device__ __forceinline__ int token(int s, int l, int c) const { return (s * plan_.LP + l) * plan_.token_row + c; }
  __device__ __forceinline__ int rows() const { return plan_.G * plan_.LP; }
  __device__ __forceinline__ View by_token(Memory<const float> a, int row) const { return {a, 1, row}; } // k along a row
  __device__ __forceinline__ View by_row(Memory<const float> a, int row) const { return {a, row, 1}; }   // k along rows
  __device__ __forceinline__ Packed weights(size_t at, int K) const { return {packed_ + at, up_to(K, 8) / 8}; }
  /// Sample and token of a row of tokens, and whether there is such a token.
  __device__ __forceinline__ bool live_row(int row, int &s, int &l) const {
    s = plan_.by_LP.of_index(row);
    l = row - s * plan_.LP;
    return l < s_.L;
  }
  /// Sample and channel of a column of a series, and whether there is such a channel.
  __device__ __forceinline__ bool live_column(int n, int &s, int &c) const {
    s = plan_.by_CP.of_index(n);
    c = n - s * plan_.CP;
    return c < s_.C;
  }
  __device__ __forceinline__ void add_gradient(size_t p, float value) const {
    gradient_[p] = first_ ? value : gradient_[p] + value;
  }
  /// Calls each(l, c, l C + c) for this thread's numbers of a window.
  template <class Each> __device__ __forceinline__ void over_window(const Each &each) const {
    for (int at = int(threadIdx.x); at < s_.L * s_.C; at += kThreads) {
      const int l = plan_.by_C.of_index(at);
      each(l, at - l * s_.C, at);
    }
  }
  /// Calls each(row, c, element) for this thread's places of a buffer of tokens, those beyond the live ones too.
  template <class Each> __device__ __forceinline__ void over_tokens(const Each &each) const {
    for (int at = int(threadIdx.x); at < rows() * plan_.CP; at += kThreads) {
      const int row = plan_.by_CP.of_index(at);
      each(row, at - row * plan_.CP);
    }
  }

  // Sums over the block

  /// v[s] becomes the block's sum of it. One barrier; the places of two sums alternate.
  __device__ __forceinline__ void sum_over_block(float (&v)[kMostSamples]) {
    Memory<float> parts = shared_ + turn_ * kWarps * kMostSamples;
    turn_ ^= 1;
#pragma unroll
    for (int s = 0; s < kMostSamples; ++s) {
      if (s >= plan_.G) break;
#pragma unroll
      for (int over = kWarp / 2; over > 0; over /= 2) v[s] += __shfl_xor_sync(kWholeWarp, v[s], over);
      if (lane_of() == 0) parts[warp_of() * kMostSamples + s] = v[s];
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kMostSamples; ++s) {
      if (s >= plan_.G) break;
      v[s] = 0;
      for (int w = 0; w < kWarps; ++w) v[s] += parts[w * kMostSamples + s];
    }
  }

  __device__ __forceinline__ static float sum_over_warp(float v) {
#pragma unroll
    for (int over = kWarp / 2; over > 0; over /= 2) v += __shfl_xor_sync(kWholeWarp, v, over);
    return v;
  }

  // Dropout

  /// Writes the bits of dropout of a site: bit e of word (row, j) lets element 8 j + e of the row through. The counters
  /// are those of the CPU: eight elements share a Philox block, sixteen bits each.
  __device__ __forceinline__ void draw(uint32_t site, int rows, int elements8, const Divisor &by_elements8,
                                       Memory<float> words) {
    const int each = rows * elements8;
    for (int s = 0; s < plan_.G; ++s)
      for (int at = int(threadIdx.x); at < each; at += kThreads) {
        const int row = by_elements8.of_index(at), j = at - row * elements8;
        // a sample that is not live repeats the first one, and is not looked at
        uint32_t block[4] = {uint32_t(row) << 12 | uint32_t(j), group_.position() + uint32_t(s), group_.step(), kDropout | site};
        philox(group_.key(), block);
        uint32_t bits = 0;
#pragma unroll
        for (int e = 0; e < 8; ++e)
          if ((block[e / 2] >> (e % 2 * 16) & 0xFFFFu) >= group_.dropout()) bits |= 1u << e;
        words[s * each + at] = __uint_as_float(bits);
      }
  }
  /// 0, or 1 / (1 - p), of an element of sample s; `words` as `draw` filled them.
  __device__ __forceinline__ float kept(Memory<const float> words, int s, int rows, int elements8, int row, int element) const {
    const uint32_t bits = __float_as_uint(words[(s * rows + row) * elements8 + element / 8]);
    return bits >> (element % 8) & 1u ? group_.keep() : 0.0f;
  }
  __device__ __forceinline__ void draw_time(int b) {
    if (group_.dropout() > 0) draw(uint32_t(3 * b), s_.C, plan_.LP / 8, plan_.by_L8, masks());
  }
  __device__ __forceinline__ void draw_feature(int b) {
    if (group_.dropout() == 0) return;
    draw(uint32_t(3 * b + 1), s_.L, plan_.FP / 8, plan_.by_F8, masks());
    draw(uint32_t(3 * b + 2), s_.L, plan_.CP / 8, plan_.by_C8, masks() + down_masks());
  }
  __device__ __forceinline__ int down_masks() const { return plan_.G * s_.L * (plan_.FP / 8); }
  __device__ __forceinline__ float kept_time(int s, int l, int c) const {
    return group_.dropout() == 0 ? 1.0f : kept(masks(), s, s_.C, plan_.LP / 8, c, l);
  }
  __device__ __forceinline__ float kept_up(int s, int l, int f) const {
    return group_.dropout() == 0 ? 1.0f : kept(masks(), s, s_.L, plan_.FP / 8, l, f);
  }
  __device__ __forceinline__ float kept_down(int s, int l, int c) const {
    return group_.dropout() == 0 ? 1.0f : kept(masks() + down_masks(), s, s_.L, plan_.CP / 8, l, c);
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
    over_tokens([&](int row, int c) {
      int s, l;
      const bool live = live_row(row, s, l) && c < s_.C;
      stream()[row * plan_.token_row + c] = live ? window(s)[l * s_.C + c] : 0.0f;
    });
    __syncthreads();
  }

  /// Keeps the residual stream in device memory; `restore` takes it back in the same threads.
  __device__ __forceinline__ void save(int which) {
    for (int s = 0; s < plan_.G; ++s)
      over_window([&](int l, int c, int at) { saved(which, s)[at] = stream()[token(s, l, c)]; });
  }
  __device__ __forceinline__ void restore(int which) {
    for (int s = 0; s < plan_.G; ++s)
      over_window([&](int l, int c, int at) { stream()[token(s, l, c)] = saved(which, s)[at]; });
  }
  __device__ __forceinline__ Memory<float> saved(int which, int s) const {
    return scratch_ + (plan_.saved + (size_t(which) * plan_.G + s) * s_.L * s_.C);
  }

  /// Layer norm over all of a sample's numbers into `in`, in the order of tokens or of series; `Keep`: x becomes the
  /// norm before gamma and beta, and `scale_` its factors. The caller's barrier stands behind it.
  template <bool Series, bool Keep> __device__ __forceinline__ void normalise(size_t gamma_at, size_t beta_at) {
    const float size = 1.0f / (float(s_.L) * float(s_.C));
    float mean[kMostSamples] = {}, scale[kMostSamples] = {};
    over_samples([&](int s) { over_window([&](int l, int c, int) { mean[s] += stream()[token(s, l, c)]; }); });
    sum_over_block(mean);
    over_samples([&](int s) { mean[s] *= size; });
    over_samples([&](int s) {
      over_window([&](int l, int c, int) {
        const float u = stream()[token(s, l, c)] - mean[s];
        scale[s] = fmaf(u, u, scale[s]);
      });
    });
    sum_over_block(scale);
    over_samples([&](int s) {
      scale[s] = 1.0f / sqrtf(fmaf(scale[s], size, kEpsilon));
      if (Keep && threadIdx.x == 0) scale_[s] = scale[s];
    });
    const Memory<const float> gamma = parameters_ + gamma_at, beta = parameters_ + beta_at;
    const auto write = [&](int place, int s, int l, int c, bool live) {
      float y = 0;
      if (live) {
        y = (stream()[token(s, l, c)] - of_sample(mean, s)) * of_sample(scale, s);
        if (Keep) stream()[token(s, l, c)] = y;
        y = fmaf(y, gamma[l * s_.C + c], beta[l * s_.C + c]);
      }
      input()[place] = y;
    };
    if (Series) {
      const int columns = plan_.G * plan_.CP;
      for (int at = int(threadIdx.x); at < plan_.LP * columns; at += kThreads) {
        const int l = plan_.by_series.of_index(at), n = at - l * columns;
        int s, c;
        const bool live = live_column(n, s, c) && l < s_.L;
        write(l * plan_.series_row + n, s, l, c, live);
      }
    } else {
      over_tokens([&](int row, int c) {
        int s, l;
        const bool live = live_row(row, s, l) && c < s_.C;
        write(row * plan_.token_row + c, s, l, c, live);
      });
    }
  }

  /// Backward through `normalise<.., Keep>`: t holds the gradient of its output; d += that of its input.
  __device__ __forceinline__ void denormalise(size_t gamma_at, size_t beta_at) {
    float mean[kMostSamples] = {}, slope[kMostSamples] = {};
    const Memory<const float> gamma = parameters_ + gamma_at;
    over_window([&](int l, int c, int at) {
      const float weight = gamma[at];
      float gamma_d = 0, beta_d = 0;
      over_samples([&](int s) {
        const float g = back()[token(s, l, c)], y = stream()[token(s, l, c)];
        gamma_d = fmaf(g, y, gamma_d);
        beta_d += g;
        mean[s] = fmaf(g, weight, mean[s]);
        slope[s] = fmaf(g * y, weight, slope[s]);
      });
      add_gradient(gamma_at + at, gamma_d);
      add_gradient(beta_at + at, beta_d);
    });
    sum_over_block(mean);
    sum_over_block(slope);
    const float size = 1.0f / (float(s_.L) * float(s_.C));
    over_window([&](int l, int c, int at) {
      over_samples([&](int s) {
        const float g = back()[token(s, l, c)] * gamma[at];
        const float inner = g - fmaf(stream()[token(s, l, c)], slope[s] * size, mean[s] * size);
        stream_d()[token(s, l, c)] = fmaf(inner, scale_[s], stream_d()[token(s, l, c)]);
      });
    });
    __syncthreads();
  }

  /// Calls each(s) with a number that the compiler knows, so that arrays of samples stay in registers.
  template <class Each> __device__ __forceinline__ void over_samples(const Each &each) const {
#pragma unroll
    for (int s = 0; s < kMostSamples; ++s)
      if (s < plan_.G) each(s);
  }
  template <class T> __device__ __forceinline__ static T of_sample(const T (&v)[kMostSamples], int s) {
    T found = v[0];
#pragma unroll
    for (int i = 1; i < kMostSamples; ++i)
      if (s == i) found = v[i];
    return found;
  }

  // Blocks, forward

  template <bool Training> __device__ __forceinline__ void time_forward(int b) {
    const Shape::Block at = s_.block(b);
    const size_t packed = b * plan_.packed_block.size + plan_.packed_block.time;
    if (Training) draw_time(b);
    normalise<true, false>(at.gamma1, at.beta1);
    __syncthreads();
    products_.multiply(weights(packed, s_.L), plan_.LP, by_row(input(), plan_.series_row), plan_.G * plan_.CP, plan_.LP,
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
    over_tokens([&](int row, int c) { // t: the gradient of the second layer's output
      int s, l;
      const bool live = live_row(row, s, l) && c < s_.C;
      back()[row * plan_.token_row + c] = live ? stream_d()[token(s, l, c)] * kept_down(s, l, c) : 0.0f;
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
    const int columns = plan_.G * plan_.CP;
    restore(2 * b);
    draw_time(b);
    normalise<true, true>(at.gamma1, at.beta1);
    __syncthreads();
    products_.multiply(weights(packed + plan_.packed_block.time, s_.L), plan_.LP, by_row(input(), plan_.series_row), columns,
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
    products_.multiply(by_token(hidden(), plan_.series_row), plan_.LP, by_token(input(), plan_.series_row), plan_.LP, columns,
                       gradient_of(at.time_w, s_.L, s_.L), bias_of(at.time_b, s_.L));
    products_.multiply(weights(packed + plan_.packed_block.time_t, s_.L), plan_.LP, by_row(hidden(), plan_.series_row), columns,
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

  __device__ __forceinline__ Memory<float> outputs(int s) const {
    return scratch_ + (plan_.output + size_t(s) * plan_.HP * plan_.KP);
  }
  __device__ __forceinline__ Memory<float> output_slopes(int s) const {
    return scratch_ + (plan_.output_d + size_t(s) * plan_.HP * plan_.KP);
  }

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
      over_window([&](int l, int c, int at) {
        over_samples([&](int s) { sums[s] = fmaf(stream()[token(s, l, c)], weight[at], sums[s]); });
      });
      sum_over_block(sums);
      over_samples([&](int s) {
        if (threadIdx.x == 0) outputs(s)[h * plan_.KP] = sums[s] + parameters_[s_.head_b() + h];
      });
    }
    __syncthreads();
  }

  /// From the gradient of the outputs to d.
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
      over_window([&](int l, int c, int) {
        if (c >= s_.kept) stream_d()[token(s, l, c)] = 0.0f;
      });
    __syncthreads();
  }

  __device__ __forceinline__ void flat_backward() {
    over_window([&](int l, int c, int at) {
      float d[kMostSamples] = {};
      for (int h = 0; h < s_.H; ++h) {
        const size_t p = s_.head_w() + h * s_.head_width() + at;
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
    __syncthreads();
  }

  // RevIN

  __device__ __forceinline__ float revin_mean(int s, int c) const { return scratch_[plan_.revin + size_t(s) * s_.C + c]; }
  __device__ __forceinline__ float revin_deviation(int s, int c) const {
    return scratch_[plan_.revin + (size_t(plan_.G) + s) * s_.C + c];
  }

  /// Each channel of each window, by one warp.
  __device__ __forceinline__ void revin_forward() {
    for (int at = warp_of(); at < plan_.G * s_.C; at += kWarps) {
      const int s = plan_.by_C.of_index(at), c = at - s * s_.C;
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
