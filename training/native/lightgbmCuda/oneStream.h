// Read before every file of LightGBM's CUDA build (CMakeLists.txt says so): mends from outside what is wrong in its source,
// which stays as it was published.
#pragma once
#include <cuda_runtime.h>

// One order for all kernels and copies, that of the program: every stream is the default one. LightGBM lets two streams hand
// results to each other without waiting (its pull request 7439: "timing dependent ... on any data"), and keeps a stream for
// every tree until the model is freed, which slows each round more than the one before (its pull request 7255).
#define cudaStreamCreate(stream) (*(stream) = nullptr, cudaSuccess)
#define cudaStreamDestroy(stream) (static_cast<void>(stream), cudaSuccess)

// Freeing reports nothing. LightGBM throws what it reports, in destructors, which ends the process; and after a kernel has
// failed everything reports that failure, so that the error would never reach the caller (its issue 7417).
#define cudaFree(memory) (static_cast<void>((cudaFree)(memory)), cudaSuccess)
