// The shape of a TSMixer and where each parameter lies in its flat vector; the order is that of
// models/score/tsmixerParameters.ts. Samples are worked on sixteen at a time, one in each lane of a line of floats.
#pragma once
#include <cstddef>

// Never out of line: a copy compiled for one instruction set must not be linked into code for another.
#if defined(__CUDACC__)
#define SLU_INLINE __host__ __device__ __forceinline__
#else
#define SLU_INLINE [[gnu::always_inline]] inline
#endif

namespace sluice {

constexpr int kLanes = 16;
constexpr float kEpsilon = 1e-5f; // inside the roots of layer norm and of RevIN

struct Shape {
  int L, C, F, blocks, H, kept;
  bool flat, gelu, revin;

  /// Offsets of a block's parameters.
  struct Block {
    size_t gamma1, beta1, time_w, time_b, gamma2, beta2, up_w, up_b, down_w, down_b;
  };

  SLU_INLINE size_t block_size() const { return size_t(4) * L * C + size_t(L) * L + L + size_t(2) * F * C + F + C; }
  SLU_INLINE Block block(int b) const {
    const size_t lc = size_t(L) * C, fc = size_t(F) * C;
    Block at;
    at.gamma1 = b * block_size();
    at.beta1 = at.gamma1 + lc;
    at.time_w = at.beta1 + lc;
    at.time_b = at.time_w + size_t(L) * L;
    at.gamma2 = at.time_b + L;
    at.beta2 = at.gamma2 + lc;
    at.up_w = at.beta2 + lc;
    at.up_b = at.up_w + fc;
    at.down_w = at.up_b + F;
    at.down_b = at.down_w + fc;
    return at;
  }
  SLU_INLINE size_t head_width() const { return flat ? size_t(L) * C : L; }
  SLU_INLINE size_t head_w() const { return blocks * block_size(); }
  SLU_INLINE size_t head_b() const { return head_w() + H * head_width(); }
  SLU_INLINE size_t revin_w() const { return head_b() + H; }
  SLU_INLINE size_t revin_b() const { return revin_w() + C; }
  SLU_INLINE size_t parameters() const { return revin_w() + (revin ? 2 * size_t(C) : 0); }

  /// Columns of the output: the kept channels of a temporal head, one column with a flat head.
  SLU_INLINE int columns() const { return flat ? 1 : kept; }
  SLU_INLINE size_t outputs() const { return size_t(H) * columns(); }

  /// Where a block's packed matrices lie: each weight matrix twice, as it is and transposed.
  struct Packed {
    size_t time, time_t, up, up_t, down, down_t;
  };
  SLU_INLINE Packed packed(int b) const {
    const size_t ll = size_t(L) * L, fc = size_t(F) * C;
    const size_t at = b * (2 * ll + 4 * fc);
    return {at, at + ll, at + 2 * ll, at + 2 * ll + fc, at + 2 * ll + 2 * fc, at + 2 * ll + 3 * fc};
  }
  SLU_INLINE size_t packed_head() const { return blocks * (2 * size_t(L) * L + 4 * size_t(F) * C); }
  SLU_INLINE size_t packed_head_t() const { return packed_head() + (flat ? 0 : size_t(H) * L); }
  SLU_INLINE size_t packed_size() const { return packed_head_t() + (flat ? 0 : size_t(H) * L); }
};

} // namespace sluice
