// The words that the kernels are written in: CUDA's own, and few. nvcc compiles them for GPUs; with SLU_EMULATED a C++
// compiler makes host code of the same source, which checks every access (emulation.h).
#pragma once
#include "shape.h"
#include <cstdint>

#if defined(SLU_EMULATED)
#define __grid_constant__
#include "cuda/emulation.h"
#else
#include <cuda_runtime.h>
#endif

namespace sluice {

constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

#if !defined(SLU_EMULATED)

/// An address of shared or of device memory, counted in T of four or eight bytes.
template <class T> using Memory = T *;

/// The block's dynamic shared memory.
__device__ __forceinline__ Memory<float> shared_memory() {
  extern __shared__ float4 slu_shared[];
  return reinterpret_cast<float *>(slu_shared);
}

/// Four neighbouring floats at an address that is a multiple of sixteen bytes.
__device__ __forceinline__ float4 load4(Memory<const float> at) { return *reinterpret_cast<const float4 *>(at); }
__device__ __forceinline__ void store4(Memory<float> at, float4 v) { *reinterpret_cast<float4 *>(at) = v; }

/// The nearest TF32 number (ties away from zero), as the tensor cores take it.
__device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

/// d += A B on the tensor cores, by the whole warp: A [16, 8], B [8, 8] TF32, d [16, 8] float32. With g = lane / 4 and
/// t = lane % 4 a lane holds A (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); B (t, g), (t + 4, g); d (g, 2t),
/// (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1). (PTX ISA, mma.m16n8k8)
__device__ __forceinline__ void mma_16x8x8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Starts a kernel, whose one parameter is a struct.
template <class Parameters>
inline cudaError_t launch(void (*kernel)(Parameters), dim3 grid, int threads, size_t shared_bytes, cudaStream_t stream,
                          Parameters parameters) {
  void *all[] = {&parameters};
  return cudaLaunchKernel(reinterpret_cast<const void *>(kernel), grid, dim3(threads), all, shared_bytes, stream);
}

#endif

} // namespace sluice
