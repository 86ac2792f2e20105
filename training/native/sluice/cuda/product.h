// Matrix products of one block of threads: y = A x, where A is a weight matrix or a buffer of activations, and x is a
// buffer of activations. A warp takes tiles of sixteen rows and columns and walks k eight at a time: on the tensor
// cores in TF32, or with fused multiply-adds in float32. Either way an element's sum runs over k in the same order
// whatever the tile, so the tiling decides no byte.
//
// All extents are multiples of eight. Whoever writes an operand writes all of it, with zeros beyond the live elements.
//
// Floors of one product of M x N x K numbers on one multiprocessor of an H100 (1.7 GHz): the tensor cores make 512 TF32
// multiply-adds a clock through mma.sync, MNK / 512 clocks; shared memory gives 32 words a clock: a tile of 16 x 16 reads
// 4 words of x a lane for 2 instructions and 16 bytes of packed weights from the first-level cache: MNK / 256 clocks.
#pragma once
#include "cuda/device.h"

namespace sluice {

constexpr int kThreads = 512; // of a block
constexpr int kWarps = kThreads / kWarp;

SLU_INLINE int up_to(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

__device__ __forceinline__ int lane_of() { return int(threadIdx.x) % kWarp; }
__device__ __forceinline__ int warp_of() { return int(threadIdx.x) / kWarp; }

/// The warp's sum of v, in every lane.
template <class T> __device__ __forceinline__ T sum_over_warp(T v) {
#pragma unroll
  for (int over = kWarp / 2; over > 0; over /= 2) v += __shfl_xor_sync(kWholeWarp, v, over);
  return v;
}

/// Four elements of A as one lane of mma_16x8x8 holds them: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4).
struct Quad {
  float v[4];
};

/// A weight matrix [M, K] in the order in which lanes take it: tiles of sixteen rows and eight columns, row of tiles by
/// row of tiles, in each tile the Quad of lane 0, of lane 1, ...: one load of sixteen bytes. In TF32 it is rounded already.
struct Packed {
  Memory<const float> data;
  int k_tiles;

  SLU_INLINE static size_t floats(int M, int K) { return size_t(up_to(M, 16)) * up_to(K, 8); }
  /// Where element (m, k) lies.
  SLU_INLINE static size_t place(int m, int k, int K) {
    const size_t tile = size_t(m / 16) * (up_to(K, 8) / 8) + k / 8;
    return tile * 128 + ((m % 8) * 4 + k % 4) * 4 + (k % 8 / 4) * 2 + m % 16 / 8;
  }
  __device__ __forceinline__ Quad quad(int m0, int k0, int g, int t, bool) const {
    const float4 q = load4(data + ((size_t(m0 / 16) * k_tiles + k0 / 8) * 128 + (g * 4 + t) * 4));
    return {{q.x, q.y, q.z, q.w}};
  }
  static constexpr bool kRounded = true;
};

/// Activations: element (k, i) at k * k_step + i * i_step, where i is a column of x or a row of A.
struct View {
  Memory<const float> data;
  int k_step, i_step;

  __device__ __forceinline__ float at(int k, int i) const { return data[size_t(k * k_step + i * i_step)]; }
  /// `lower`: the rows m0 + 8 and on are there.
  __device__ __forceinline__ Quad quad(int m0, int k0, int g, int t, bool lower) const {
    return {{at(k0 + t, m0 + g), lower ? at(k0 + t, m0 + g + 8) : 0.0f, at(k0 + t + 4, m0 + g),
             lower ? at(k0 + t + 4, m0 + g + 8) : 0.0f}};
  }
  static constexpr bool kRounded = false;
};

/// The sums of one warp's tile: two fragments of d side by side.
template <bool Tf32> struct Tile {
  float sums[2][4] = {};
  float rows[2] = {}; // sums of A's rows g and g + 8 over this lane's k

  /// Adds k0 .. k0 + 7 of rows m0 .. and columns n0 ..; only rows below M and columns below N are there.
  template <class A>
  __device__ __forceinline__ void add(const A &a, int m0, int M, const View &x, int n0, int N, int k0) {
    const int g = lane_of() / 4, t = lane_of() % 4;
    const bool wide = n0 + 8 < N;
    if constexpr (Tf32) {
      uint32_t left[4], right[2][2];
#pragma unroll
      for (int j = 0; j < 2; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) right[j][e] = j == 0 || wide ? to_tf32(x.at(k0 + t + 4 * e, n0 + 8 * j + g)) : 0;
      const Quad q = a.quad(m0, k0, g, t, m0 + 8 < M);
      add_rows(q);
#pragma unroll
      for (int e = 0; e < 4; ++e) left[e] = A::kRounded ? __float_as_uint(q.v[e]) : to_tf32(q.v[e]);
      mma_16x8x8(sums[0], left, right[0]);
      mma_16x8x8(sums[1], left, right[1]);
    } else {
#pragma unroll
      for (int step = 0; step < 4; ++step) { // k0 + step and k0 + step + 4
        const Quad q = a.quad(m0, k0, g, step, m0 + 8 < M);
        if (step == t) add_rows(q);
#pragma unroll
        for (int j = 0; j < 2; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            const int n = n0 + 8 * j + 2 * t + e;
            const float near = j == 0 || wide ? x.at(k0 + step, n) : 0.0f, far = j == 0 || wide ? x.at(k0 + step + 4, n) : 0.0f;
#pragma unroll
            for (int lower = 0; lower < 2; ++lower)
              sums[j][2 * lower + e] = fmaf(q.v[2 + lower], far, fmaf(q.v[lower], near, sums[j][2 * lower + e]));
          }
      }
    }
  }

  /// Calls take(m, n, sum) for every element of the tile, and take_row(m, sum) for A's rows if the tile is their first.
  template <class Take, class TakeRow>
  __device__ __forceinline__ void give(int m0, int M, int n0, int N, const Take &take, const TakeRow &take_row) {
    const int g = lane_of() / 4, t = lane_of() % 4;
#pragma unroll
    for (int j = 0; j < 2; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int m = m0 + e / 2 * 8, n = n0 + 8 * j;
        if (m < M && n < N) take(m + g, n + 2 * t + e % 2, sums[j][e]);
      }
    if constexpr (TakeRow::kWanted) {
      if (n0 != 0) return;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float sum = rows[half];
        sum += __shfl_xor_sync(kWholeWarp, sum, 1);
        sum += __shfl_xor_sync(kWholeWarp, sum, 2);
        if (t == 0 && m0 + 8 * half < M) take_row(m0 + 8 * half + g, sum);
      }
    }
  }

private:
  __device__ __forceinline__ void add_rows(const Quad &q) {
    rows[0] += q.v[0] + q.v[2];
    rows[1] += q.v[1] + q.v[3];
  }
};

/// No sums of rows are asked for.
struct NoRows {
  static constexpr bool kWanted = false;
  __device__ __forceinline__ void operator()(int, float) const {}
};
/// Sums of rows go to `take(m, sum)`.
template <class Take> struct Rows {
  static constexpr bool kWanted = true;
  Take take;
  __device__ __forceinline__ void operator()(int m, float sum) const { take(m, sum); }
};
template <class Take> __device__ __forceinline__ Rows<Take> rows_to(const Take &take) { return {take}; }

/// Products whose operands lie in shared memory. Nothing is waited for: the caller's barriers stand around them.
/// Products that follow each other without one share the warps out evenly, by taking them up where the last one stopped.
template <bool Tf32> class ResidentProducts {
public:
  static constexpr int kSlabs = 0; // floats of shared memory of its own
  __device__ __forceinline__ explicit ResidentProducts(Memory<float>) {}

  template <class A, class Take, class TakeRow = NoRows>
  __device__ __forceinline__ void multiply(const A &a, int M, const View &x, int N, int K, const Take &take,
                                           const TakeRow &take_row = {}) {
    const int down = up_to(M, 16) / 16, all = down * (up_to(N, 16) / 16);
    for (int at = (warp_of() + kWarps - turn_) % kWarps; at < all; at += kWarps) {
      const int m0 = at % down * 16, n0 = at / down * 16;
      Tile<Tf32> tile;
#pragma unroll 2
      for (int k = 0; k < K; k += 8) tile.add(a, m0, M, x, n0, N, k);
      tile.give(m0, M, n0, N, take, take_row);
    }
    turn_ = (turn_ + all) % kWarps;
  }

private:
  int turn_ = 0; // the warp that takes the next tile
};

/// Products whose operands lie in device memory: panels of 64 rows by 64 columns, k thirty-two at a time through slabs
/// in shared memory. It begins with a barrier; the caller's stands behind it.
template <bool Tf32> class StagedProducts {
public:
  static constexpr int kK = 32, kM = 64, kN = 64, kRow = kK + 4; // rows of a slab spread over the banks
  static constexpr int kSlabs = (kM + kN) * kRow;
  __device__ __forceinline__ explicit StagedProducts(Memory<float> slabs) : slabs_(slabs) {}

  template <class A, class Take, class TakeRow = NoRows>
  __device__ __forceinline__ void multiply(const A &a, int M, const View &x, int N, int K, const Take &take,
                                           const TakeRow &take_row = {}) {
    const int m_in = warp_of() / 4 * 16, n_in = warp_of() % 4 * 16;
    for (int m0 = 0; m0 < M; m0 += kM)
      for (int n0 = 0; n0 < N; n0 += kN) {
        Tile<Tf32> tile;
        for (int k0 = 0; k0 < K; k0 += kK) {
          __syncthreads();
          stage(x, n0, N, kN, k0, K, slabs_);
          if constexpr (!A::kRounded) stage(a, m0, M, kM, k0, K, slabs_ + kN * kRow);
          __syncthreads();
          const View right{slabs_, 1, kRow};
          if (m0 + m_in >= M || n0 + n_in >= N) continue;
          for (int k = 0; k < kK && k0 + k < K; k += 8)
            if constexpr (A::kRounded) {
              const Packed left{a.data + (size_t(m0 / 16) * a.k_tiles + k0 / 8) * 128, a.k_tiles};
              tile.add(left, m_in, M - m0, right, n_in, N - n0, k);
            } else tile.add(View{slabs_ + kN * kRow, 1, kRow}, m_in, M - m0, right, n_in, N - n0, k);
        }
        if (m0 + m_in < M && n0 + n_in < N) tile.give(m0 + m_in, M, n0 + n_in, N, take, take_row);
      }
  }

private:
  /// Copies columns i0 .. of a view, along whichever index its numbers lie side by side.
  __device__ __forceinline__ static void stage(const View &from, int i0, int I, int width, int k0, int K,
                                               Memory<float> slab) {
    const bool along_k = from.k_step == 1;
#pragma unroll 1
    for (int at = int(threadIdx.x); at < width * kK; at += kThreads) {
      const int k = along_k ? at % kK : at / width, i = along_k ? at / kK : at % width;
      if (i0 + i < I) slab[i * kRow + k] = k0 + k < K ? from.at(k0 + k, i0 + i) : 0.0f;
    }
  }
  Memory<float> slabs_;
};

} // namespace sluice
