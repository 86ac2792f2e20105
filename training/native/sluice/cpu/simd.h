// Sixteen samples side by side: a line of floats in vectors of the instruction set that this file is compiled for.
// SLU_PATH names the set; each set is compiled as a namespace of its own and chosen at run time. Products and sums are
// fused only where `fma` says so (-ffp-contract=off).
#pragma once
#include "shape.h"
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace sluice {
namespace SLU_PATH {

#if defined(__AVX512F__) || defined(SLU_WIDE)
constexpr int W = 16;          // floats of a vector
constexpr int kRows = 8;       // rows of a tile of `multiply`
constexpr int kColumns = 3;    // columns of a tile of `multiply`, each one line
constexpr int kOuterRows = 6;  // rows of a tile of `outer`
#elif defined(__AVX2__)
constexpr int W = 8, kRows = 6, kColumns = 1, kOuterRows = 3;
#elif defined(__ARM_NEON)
constexpr int W = 4, kRows = 6, kColumns = 1, kOuterRows = 5;
#else
constexpr int W = 4, kRows = 2, kColumns = 1, kOuterRows = 2;
#endif

typedef float V __attribute__((vector_size(4 * W)));
typedef int32_t VI __attribute__((vector_size(4 * W)));
typedef uint32_t VU __attribute__((vector_size(4 * W)));
typedef uint64_t VL __attribute__((vector_size(4 * W)));
typedef float V4 __attribute__((vector_size(16)));
typedef float V8 __attribute__((vector_size(32)));
constexpr int kParts = kLanes / W; // vectors of a line

static inline V load(const float *p) { return *reinterpret_cast<const V *>(p); }
static inline void store(float *p, V v) { *reinterpret_cast<V *>(p) = v; }
static inline V splat(float x) { return x - V{}; } // x + 0 would be an addition: it makes 0 of -0

/// a * b + c, rounded once where the machine can.
static inline V fma(V a, V b, V c) {
#if defined(__AVX512F__)
  return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(SLU_WIDE) // sixteen-wide code on an eight-wide machine: a test of the avx512 tiles where there is none
  union { V v; __m256 h[2]; } x{a}, y{b}, z{c};
  for (int i = 0; i < 2; ++i) z.h[i] = _mm256_fmadd_ps(x.h[i], y.h[i], z.h[i]);
  return z.v;
#elif defined(__AVX2__)
  return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__ARM_NEON)
  return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

/// Square root of each number.
static inline V root(V x) {
  for (int i = 0; i < W; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}

/// Products of the lower halves of 64-bit numbers.
static inline VL low_product(VL a, VL b) {
#if defined(__AVX512F__)
  return (VL)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__) && !defined(SLU_WIDE)
  return (VL)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__) && !defined(SLU_WIDE)
  return (VL)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/// Low and high halves of the products of words and a number.
static inline void wide_product(VU a, uint32_t m, VU &low, VU &high) {
  const VL factor = VL{} + m, even = low_product((VL)a, factor), odd = low_product((VL)a >> 32, factor);
  low = (VU)((even & 0xFFFFFFFFu) | odd << 32);
  high = (VU)(even >> 32 | (odd & 0xFFFFFFFF00000000u));
}

/// Halves added onto each other until four numbers are left.
static inline V4 fold(V4 v) { return v; }
static inline V4 fold(V8 v) {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}
typedef float V16 __attribute__((vector_size(64)));
static inline V4 fold(V16 v) {
  return fold(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
              __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}

/// The sums of four vectors, as four numbers.
static inline V4 sum4(V a, V b, V c, V d) {
  const V4 x = fold(a), y = fold(b), z = fold(c), w = fold(d);
  const V4 xy = __builtin_shufflevector(x, y, 0, 4, 1, 5) + __builtin_shufflevector(x, y, 2, 6, 3, 7);
  const V4 zw = __builtin_shufflevector(z, w, 0, 4, 1, 5) + __builtin_shufflevector(z, w, 2, 6, 3, 7);
  return __builtin_shufflevector(xy, zw, 0, 1, 4, 5) + __builtin_shufflevector(xy, zw, 2, 3, 6, 7);
}

/// One number of each of the sixteen samples.
struct Line {
  V v[kParts];

  static Line at(const float *p) {
    Line x;
    for (int i = 0; i < kParts; ++i) x.v[i] = load(p + i * W);
    return x;
  }
  static Line of(float number) {
    Line x;
    for (int i = 0; i < kParts; ++i) x.v[i] = splat(number);
    return x;
  }
  void to(float *p) const {
    for (int i = 0; i < kParts; ++i) store(p + i * W, v[i]);
  }
  /// The parts added into one vector.
  V together() const {
    V sum = v[0];
    for (int i = 1; i < kParts; ++i) sum += v[i];
    return sum;
  }
  float sum() const { return sum4(together(), V{}, V{}, V{})[0]; }
};

#define SLU_EACH(expression)                                                                                        \
  Line r;                                                                                                            \
  for (int i = 0; i < kParts; ++i) r.v[i] = expression;                                                              \
  return r;
static inline Line operator+(Line a, Line b) { SLU_EACH(a.v[i] + b.v[i]) }
static inline Line operator-(Line a, Line b) { SLU_EACH(a.v[i] - b.v[i]) }
static inline Line operator*(Line a, Line b) { SLU_EACH(a.v[i] * b.v[i]) }
static inline Line operator/(Line a, Line b) { SLU_EACH(a.v[i] / b.v[i]) }
static inline Line fma(Line a, Line b, Line c) { SLU_EACH(fma(a.v[i], b.v[i], c.v[i])) }
static inline Line root(Line a) { SLU_EACH(root(a.v[i])) }
/// b where a > 0, else c.
static inline Line positive(Line a, Line b, Line c) { SLU_EACH(a.v[i] > 0.0f ? b.v[i] : c.v[i]) }
#undef SLU_EACH

static inline V clamp(V x, float low, float high) {
  x = x < low ? splat(low) : x;
  return x > high ? splat(high) : x;
}

/// c0 x^(N-1) + c1 x^(N-2) + ... by Horner's rule.
template <int N> static inline V polynomial(V x, const float (&c)[N]) {
  V y = splat(c[0]);
  for (int i = 1; i < N; ++i) y = fma(y, x, splat(c[i]));
  return y;
}

/// e^x for x <= 0, to 2 ulp; Cephes' expf. Below -87 the answer is that of -87.
static inline V exponential(V x) {
  static const float taylor[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  x = clamp(x, -87.0f, 0.0f);
  const V shifter = splat(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer
  const V n = fma(x, splat(1.44269504088896341f), shifter) - shifter;
  V r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  const V y = fma(polynomial(r, taylor) * r, r, r) + 1.0f;
  return y * (V)((__builtin_convertvector(n, VI) + 127) << 23);
}

/// erf(x) to a few ulp: the rational approximation on [-4, 4] of Eigen's generic_fast_erf.
static inline V error_function(V x) {
  static const float above[] = {-2.72614225801306e-10f, 2.77068142495902e-08f,  -2.10102402082508e-06f,
                                -5.69250639462346e-05f, -7.34990630326855e-04f, -2.95459980854025e-03f,
                                -1.60960333262415e-02f};
  static const float below[] = {-1.45660718464996e-05f, -2.13374055278905e-04f, -1.68282697438203e-03f,
                                -7.37332916720468e-03f, -1.42647390514189e-02f};
  x = clamp(x, -4.0f, 4.0f);
  return x * polynomial(x * x, above) / polynomial(x * x, below);
}

} // namespace SLU_PATH
} // namespace sluice
