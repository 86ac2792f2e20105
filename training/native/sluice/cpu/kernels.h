// What one instruction set offers: all arithmetic of a training step but the order in which lanes are added up.
#pragma once
#include "philox.h"
#include "shape.h"
#include <cstdint>

namespace sluice {

/// Up to sixteen samples of one member.
struct Group {
  const Shape *shape;
  const float *parameters; // [P]
  const float *packed;     // the weight matrices as `pack` lays them out
  float *arena;            // `arena_floats` of scratch, 64-byte aligned

  int live;                      // samples in it; the other lanes repeat the first one and weigh nothing
  const float *windows[kLanes];  // first row of each window, [L, C] row-major
  const float *targets[kLanes];  // number (h, c) at h * target_row + c; null where no loss is asked for
  const float *teachers[kLanes]; // number (h, c) at h * columns + c; null = no teacher
  float weights[kLanes];
  int target_row;

  bool huber;
  float huber_delta, lambda;
  float share; // 1 / samples of the whole step

  uint32_t dropout; // of 65536
  PhiloxKey key;
  uint32_t step, position; // of the training; of the first sample in its batch
};

struct AdamW {
  float decay;             // 1 - lr * weight decay
  float beta1, beta2;
  float step_size;         // lr / (1 - beta1^t)
  float second_scale;      // 1 / sqrt(1 - beta2^t)
  float epsilon;
  float gradient_scale;    // of clipping
};

struct Kernels {
  const char *name;
  /// Lays a weight matrix [rows, columns] out for `multiply`; transposed: its transpose.
  void (*pack)(const float *matrix, int rows, int columns, bool transposed, float *out);
  size_t (*arena_floats)(const Shape &, bool training);
  /// Forward and backward: adds the group's gradient to `gradient` [P] and gives its share of the step's loss.
  double (*learn)(const Group &, float *gradient);
  /// Forward without dropout: outputs [O] of each live sample; null = not wanted. Gives the sum of weighted losses.
  double (*predict)(const Group &, float *const *outputs);
  void (*adamw)(float *parameters, float *first, float *second, const float *gradient, size_t n, const AdamW &);
};

extern const Kernels portable_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels, avx512_kernels, wide_kernels;
#endif

} // namespace sluice
