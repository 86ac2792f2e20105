// Matrix products over lines of sixteen samples: weights times lines, and the gradients of the weights. In tiles whose
// sums stay in registers; simd.h has the tiles' sizes for each instruction set.
#pragma once
#include "cpu/simd.h"

namespace sluice {
namespace SLU_PATH {

/// One tile of y = A x: MR rows by NB columns. A function of its own, so that its sums stay in registers.
template <int MR, int NB, class Epilogue>
[[gnu::noinline]] static void tile(const float *a, int K, const float *x, size_t k_step, size_t n_step, int m0, int n0,
                        const Epilogue &epilogue) {
  V sums[MR][NB * kParts] = {};
  for (int k = 0; k < K; ++k, a += MR, x += k_step) {
    V in[NB * kParts];
#pragma GCC unroll 16
    for (int n = 0; n < NB; ++n)
#pragma GCC unroll 16
      for (int p = 0; p < kParts; ++p) in[n * kParts + p] = load(x + n * n_step + p * W);
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) {
      const V weight = splat(a[m]);
#pragma GCC unroll 16
      for (int j = 0; j < NB * kParts; ++j) sums[m][j] = fma(weight, in[j], sums[m][j]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m)
#pragma GCC unroll 16
    for (int n = 0; n < NB; ++n) {
      Line y;
#pragma GCC unroll 16
      for (int p = 0; p < kParts; ++p) y.v[p] = sums[m][n * kParts + p];
      epilogue(m0 + m, n0 + n, y);
    }
}

template <int MR, int NB, class Epilogue>
static inline void tile_of(int rows, const float *a, int K, const float *x, size_t k_step, size_t n_step, int m0,
                           int n0, const Epilogue &epilogue) {
  if (rows == MR) tile<MR, NB>(a, K, x, k_step, n_step, m0, n0, epilogue);
  else if constexpr (MR > 1) tile_of<MR - 1, NB>(rows, a, K, x, k_step, n_step, m0, n0, epilogue);
}

template <int NB, class Epilogue>
static inline void columns_of(int columns, const float *a, int M, int K, const float *x, size_t k_step, size_t n_step,
                              int n0, const Epilogue &epilogue) {
  if constexpr (NB > 1) {
    if (columns < NB) return columns_of<NB - 1>(columns, a, M, K, x, k_step, n_step, n0, epilogue);
  }
  for (int m = 0; m < M; m += kRows)
    tile_of<kRows, NB>(M - m < kRows ? M - m : kRows, a + size_t(m) * K, K, x, k_step, n_step, m, n0, epilogue);
}

/// y(m, n) = sum over k of A(m, k) x(k, n), each x(k, n) a line; `epilogue(m, n, line)` takes the sums. A is packed.
template <class Epilogue>
static inline void multiply(const float *a, int M, int K, const float *x, size_t k_step, int N, size_t n_step,
                            const Epilogue &epilogue) {
  for (int n = 0; n < N; n += kColumns)
    columns_of<kColumns>(N - n < kColumns ? N - n : kColumns, a, M, K, x + n * n_step, k_step, n_step, n, epilogue);
}

/// Panels of kRows rows, the last one of what is left: element (m, k) of a panel at k * its rows + m.
static void pack(const float *matrix, int rows, int columns, bool transposed, float *out) {
  const int M = transposed ? columns : rows, K = transposed ? rows : columns;
  for (int m0 = 0; m0 < M; m0 += kRows) {
    const int height = M - m0 < kRows ? M - m0 : kRows;
    for (int k = 0; k < K; ++k)
      for (int m = m0; m < m0 + height; ++m)
        *out++ = transposed ? matrix[size_t(k) * columns + m] : matrix[size_t(m) * columns + k];
  }
}

/// g[n] += the sum of vector n, for N of four.
template <int N> static inline void add_sums(float *g, const V (&vectors)[4]) {
  const V4 sums = sum4(vectors[0], vectors[1], vectors[2], vectors[3]);
  if constexpr (N == 4) {
    typedef float Anywhere __attribute__((vector_size(16), aligned(4), may_alias));
    *reinterpret_cast<Anywhere *>(g) += sums;
  } else {
    for (int n = 0; n < N; ++n) g[n] += sums[n];
  }
}

template <int M, int N>
static void outer_tile(const float *p, size_t m_step, const float *q, int J, size_t p_step, size_t q_step, float *g,
                       size_t row) {
  V sums[M][4] = {};
  for (int j = 0; j < J; ++j, p += p_step, q += q_step) {
#pragma GCC unroll 4
    for (int part = 0; part < kLanes; part += W) {
      V left[M];
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) left[m] = load(p + m * m_step + part);
#pragma GCC unroll 16
      for (int n = 0; n < N; ++n) {
        const V right = load(q + n * kLanes + part);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) sums[m][n] = fma(left[m], right, sums[m][n]);
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) add_sums<N>(g + m * row, sums[m]);
}

template <int M, int N>
static inline void outer_tile_of(int m, int n, const float *p, size_t m_step, const float *q, int J, size_t p_step,
                                 size_t q_step, float *g, size_t row) {
  if (m == M && n == N) return outer_tile<M, N>(p, m_step, q, J, p_step, q_step, g, row);
  if constexpr (N > 1) {
    if (n < N) return outer_tile_of<M, N - 1>(m, n, p, m_step, q, J, p_step, q_step, g, row);
  }
  if constexpr (M > 1) {
    if (m < M) return outer_tile_of<M - 1, N>(m, n, p, m_step, q, J, p_step, q_step, g, row);
  }
}

/// G(m, n) += sum over j and the samples of p(m, j) q(n, j): the gradient of a weight matrix [M, N]. In blocks of j and m
/// whose lines stay in the nearest cache while those of n pass by.
static void outer(const float *p, int M, size_t m_step, size_t p_step, const float *q, int N, size_t q_step, int J,
                  float *g) {
  constexpr int kJ = 16, kM = 6 * kOuterRows;
  for (int j = 0; j < J; j += kJ)
    for (int block = 0; block < M; block += kM)
      for (int n = 0; n < N; n += 4)
        for (int m = block; m < M && m < block + kM; m += kOuterRows)
          outer_tile_of<kOuterRows, 4>(M - m < kOuterRows ? M - m : kOuterRows, N - n < 4 ? N - n : 4,
                                       p + m * m_step + j * p_step, m_step, q + n * kLanes + j * q_step,
                                       J - j < kJ ? J - j : kJ, p_step, q_step, g + size_t(m) * N + n, N);
}

/// G(m) += sum over j and the samples of p(m, j): the gradient of a bias [M].
static void outer_ones(const float *p, int M, size_t m_step, size_t p_step, int J, float *g) {
  for (int m = 0; m < M; ++m) {
    Line sum = Line::of(0);
    for (int j = 0; j < J; ++j) sum = sum + Line::at(p + m * m_step + j * p_step);
    g[m] += sum.sum();
  }
}

} // namespace SLU_PATH
} // namespace sluice
