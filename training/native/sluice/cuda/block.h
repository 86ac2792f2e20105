// What the pieces of the network stand on: where a block of threads keeps what it works on, its loops, sums and dropout.
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

/// A block of threads at work; buffers lie in shared memory if `Resident`, else in the block's scratch.
template <bool Resident> class Block {
protected:
  __device__ __forceinline__ Block(const Plan &plan, Memory<float> scratch)
      : plan_(plan), s_(plan.shape), shared_(shared_memory()), scratch_(scratch), group_(shared_ + kGroupAt) {}

  const Plan &plan_;
  const Shape &s_;
  Memory<float> shared_, scratch_;
  const Group group_;

  // Buffers, as Plan describes them. They are computed where they are used: kept in registers, they would spill.

  __device__ __forceinline__ Memory<float> working() const { return Resident ? shared_ + plan_.small : scratch_; }
  __device__ __forceinline__ Memory<float> stream() const { return working() + plan_.stream; }
  __device__ __forceinline__ Memory<float> stream_d() const { return working() + plan_.stream_d; }
  __device__ __forceinline__ Memory<float> back() const { return working() + plan_.back; }
  __device__ __forceinline__ Memory<float> input() const { return working() + plan_.input; }
  __device__ __forceinline__ Memory<float> hidden() const { return working() + plan_.hidden; }
  __device__ __forceinline__ Memory<float> hidden_d() const { return working() + plan_.hidden_d; }
  __device__ __forceinline__ Memory<float> masks() const { return working() + plan_.masks; }
  /// Factors of the norm that is to be gone back through, one for each sample.
  __device__ __forceinline__ Memory<float> scales() const { return shared_ + kScaleAt; }
  __device__ __forceinline__ Memory<float> outputs(int s) const {
    return scratch_ + (plan_.output + size_t(s) * plan_.HP * plan_.KP);
  }
  __device__ __forceinline__ Memory<float> output_slopes(int s) const {
    return scratch_ + (plan_.output_d + size_t(s) * plan_.HP * plan_.KP);
  }

  // Places

  __device__ __forceinline__ int rows() const { return plan_.G * plan_.LP; }
  __device__ __forceinline__ int columns() const { return plan_.G * plan_.CP; }
  __device__ __forceinline__ int token(int s, int l, int c) const { return (s * plan_.LP + l) * plan_.token_row + c; }
  __device__ __forceinline__ int series(int s, int l, int c) const { return l * plan_.series_row + s * plan_.CP + c; }
  /// Sample and token of a row of tokens, and whether there is such a token.
  __device__ __forceinline__ bool live_row(int row, int &s, int &l) const {
    static_assert(kMostSamples == 2);
    s = row >= plan_.LP;
    l = s ? row - plan_.LP : row;
    return l < s_.L;
  }
  /// Sample and channel of a column of a series, and whether there is such a channel.
  __device__ __forceinline__ bool live_column(int column, int &s, int &c) const {
    s = column >= plan_.CP;
    c = s ? column - plan_.CP : column;
    return c < s_.C;
  }

  // Loops. A thread has the same tokens and channels in all of them.

  /// Calls each(s) with a number that the compiler knows.
  template <class Each> __device__ __forceinline__ void over_samples(const Each &each) const {
#pragma unroll
    for (int s = 0; s < kMostSamples; ++s)
      if (s < plan_.G) each(s);
  }
  /// Calls each(l, c) for this thread's numbers of a window.
  template <class Each> __device__ __forceinline__ void over_window(const Each &each) const { over(s_.L, s_.C, each); }
  /// Calls each(l, c, live) for this thread's places of a sample in a buffer, those beyond the live ones too.
  template <class Each> __device__ __forceinline__ void over_places(const Each &each) const {
    over(plan_.LP, plan_.CP, [&](int l, int c) { each(l, c, l < s_.L && c < s_.C); });
  }

  // Sums over the block

  /// Each v[i] becomes the block's sum of it. One barrier; the places of two sums alternate.
  template <int N> __device__ __forceinline__ void sum_over_block(float (&v)[N]) {
    static_assert(2 * kWarps * N <= kScaleAt);
    Memory<float> parts = shared_ + turn_ * (kScaleAt / 2);
    turn_ ^= 1;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float sum = sum_over_warp(v[i]);
      if (lane_of() == 0) parts[i * kWarps + warp_of()] = sum;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < N; ++i) {
      v[i] = parts[i * kWarps + lane_of() % kWarps];
#pragma unroll
      for (int over = kWarps / 2; over > 0; over /= 2) v[i] += __shfl_xor_sync(kWholeWarp, v[i], over);
    }
  }

  // Dropout

  /// Draws what time mixing of block b lets through.
  __device__ __forceinline__ void draw_time(int b) const {
    if (group_.dropout() > 0) draw(uint32_t(3 * b), s_.C, plan_.LP / 8, masks());
  }
  /// Draws what the two layers of feature mixing of block b let through.
  __device__ __forceinline__ void draw_feature(int b) const {
    if (group_.dropout() == 0) return;
    draw(uint32_t(3 * b + 1), s_.L, plan_.FP / 8, masks());
    draw(uint32_t(3 * b + 2), s_.L, plan_.CP / 8, masks() + down_masks());
  }
  /// 0, or 1 / (1 - p), of an element of time mixing; the other two of feature mixing.
  __device__ __forceinline__ float kept_time(int s, int l, int c) const {
    return group_.dropout() == 0 ? 1.0f : kept(masks(), (s * s_.C + c) * (plan_.LP / 8), l);
  }
  __device__ __forceinline__ float kept_up(int s, int l, int f) const {
    return group_.dropout() == 0 ? 1.0f : kept(masks(), (s * s_.L + l) * (plan_.FP / 8), f);
  }
  __device__ __forceinline__ float kept_down(int s, int l, int c) const {
    return group_.dropout() == 0 ? 1.0f : kept(masks() + down_masks(), (s * s_.L + l) * (plan_.CP / 8), c);
  }

private:
  template <class Each> __device__ __forceinline__ void over(int L, int C, const Each &each) const {
    const int lanes = plan_.channel_lanes, at = int(threadIdx.x);
    for (int c = at % lanes; c < C; c += lanes)
      for (int l = at / lanes; l < L; l += kThreads / lanes) each(l, c);
  }

  /// Writes the dropout of a site: bit e of word (s, row, j) lets element 8 j + e of the row through. The counters are
  /// those of the CPU: eight elements share a Philox block, sixteen bits each.
  __device__ __forceinline__ void draw(uint32_t site, int rows, int words, Memory<float> to) const {
    const int each = rows * words;
    for (int at = int(threadIdx.x); at < plan_.G * each; at += kThreads) {
      const int s = at >= each, row = (at - s * each) / words, j = (at - s * each) % words;
      // a sample that is not live weighs nothing, whatever is drawn for it
      uint32_t block[4] = {uint32_t(row) << 12 | uint32_t(j), group_.position() + uint32_t(s), group_.step(), kDropout | site};
      philox(group_.key(), block);
      uint32_t bits = 0;
#pragma unroll
      for (int e = 0; e < 8; ++e)
        if ((block[e / 2] >> (e % 2 * 16) & 0xFFFFu) >= group_.dropout()) bits |= 1u << e;
      to[at] = __uint_as_float(bits);
    }
  }
  __device__ __forceinline__ float kept(Memory<const float> words, int row, int element) const {
    const uint32_t bits = __float_as_uint(words[row + element / 8]);
    return bits >> (element % 8) & 1u ? group_.keep() : 0.0f;
  }
  __device__ __forceinline__ int down_masks() const { return plan_.G * s_.L * (plan_.FP / 8); }

  int turn_ = 0;
};

} // namespace sluice
