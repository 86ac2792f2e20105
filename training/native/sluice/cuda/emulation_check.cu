// What emulation.test.ts runs under the emulation: right kernels, and the same with a flaw planted. nvcc compiles it too,
// which shows that its words are CUDA's. Each case is one line of output: its name, a tab, and the sentence of the fault,
// or "right" or "wrong" and the bytes of what came out.
#include "cuda/device.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

using namespace sluice;

namespace {

constexpr int kThreads = 64, kBlocks = 6, kNumbers = kThreads * kBlocks;

struct Numbers {
  Memory<const float> x;
  Memory<float> y;
  float factor;
};

__device__ __forceinline__ int thread() { return int(threadIdx.x); }
__device__ __forceinline__ int number() { return int(blockIdx.x * blockDim.x + threadIdx.x); }

enum class Flaw {
  kNone,
  kNoBarrier,
  kAgreeing,
  kAfterRead,
  kBeyondShared,
  kBeyondDevice,
  kUnwritten,
  kMisaligned,
  kTwoBarriers,
  kEnds,
  kManyRead,
  kMoreRounds,
  kBlocksWrite,
  kBlocksRead,
  kBlocksReadFirst,
  kLaneAway,
  kLaneEnds,
  kTwoExchanges,
  kFewLanes,
  kNoRounding,
  kSwapped,
  kNowhere
};

/// Each block turns its numbers round by one place, through shared memory, `rounds` times.
template <Flaw flaw> __global__ void __launch_bounds__(kThreads) turn(Numbers p) {
  Memory<float> s = shared_memory();
  const int next = (thread() + 1) % kThreads;
  if (flaw != Flaw::kUnwritten || thread() != 7) s[flaw == Flaw::kBeyondShared ? thread() + 1 : thread()] = p.x[number()];
  for (int round = 0; round < (flaw == Flaw::kMoreRounds && thread() == 3 ? 3 : 2); ++round) {
    if (flaw == Flaw::kEnds && thread() >= 32) return;
    if (flaw == Flaw::kTwoBarriers && thread() < 32) __syncthreads();
    else if (flaw != Flaw::kNoBarrier) __syncthreads();
    const float mine = s[next];
    if (flaw != Flaw::kAfterRead) __syncthreads();
    s[thread()] = mine * p.factor;
  }
  __syncthreads();
  if (flaw == Flaw::kAgreeing) s[0] = 1.0f;
  if (flaw == Flaw::kManyRead) { // thread 0 reads first, and writes when its warp has read
    float seen = thread() == 0 ? float(s[0]) : 0.0f;
    seen += __shfl_sync(kWholeWarp, seen, 0) + (thread() == 0 ? 0.0f : float(s[0]));
    seen = __shfl_sync(kWholeWarp, seen, 1);
    if (thread() == 0) s[0] = seen;
  }
  p.y[flaw == Flaw::kBeyondDevice ? number() + 1 : number()] = s[thread()];
}

/// y[0..5] = the sums of each block's numbers.
template <Flaw flaw> __global__ void __launch_bounds__(kThreads) sum(Numbers p) {
  Memory<float> s = shared_memory();
  float all = p.x[number()];
  if (flaw == Flaw::kLaneEnds && thread() >= 48) return;
  if (flaw == Flaw::kTwoExchanges && thread() == 1) all += __shfl_xor_sync(kWholeWarp, all, 16);
  if (flaw != Flaw::kLaneAway || thread() % 32 < 16)
    for (int with = 16; with > 0; with /= 2) all += __shfl_xor_sync(flaw == Flaw::kFewLanes ? 0xFFFFu : kWholeWarp, all, with);
  if (thread() % kWarp == 0) s[thread() / kWarp] = all;
  __syncthreads();
  if (__any_sync(kWholeWarp, all < 0.0f)) return;
  if (__syncthreads_or(thread() == 63 && all > 0.0f) == 0) return;
  const unsigned odd = __ballot_sync(kWholeWarp, thread() % 2);
  if (thread() == 0) p.y[flaw == Flaw::kBlocksWrite ? 0 : int(blockIdx.x)] = s[0] + s[1] + (odd == 0xAAAAAAAAu ? 0.0f : 1.0f);
  if (flaw == Flaw::kBlocksReadFirst && thread() == 1 && p.y[kBlocks] == 0.0f && blockIdx.x == 4) p.y[kBlocks] = 1.0f;
  if (flaw == Flaw::kBlocksRead && thread() == 1 && blockIdx.x == 4) p.y[100] = p.y[5];
}

/// y = x with its fours reversed.
template <Flaw flaw> __global__ void __launch_bounds__(kThreads) reverse(Numbers p) {
  Memory<float> s = shared_memory();
  s[thread()] = p.x[number()];
  __syncthreads();
  if (thread() % 4 == 0) {
    const float4 v = load4(s + (flaw == Flaw::kMisaligned && thread() == 8 ? 9 : thread()));
    store4(p.y + number(), make_float4(v.w, v.z, v.y, v.x));
  }
}

/// y [16, 8] = x [16, 8] of the first numbers times x [8, 8] of the next, by one warp.
template <Flaw flaw> __global__ void __launch_bounds__(kWarp) multiply(Numbers p) {
  const int g = thread() / 4, t = thread() % 4;
  const Memory<const float> a = p.x, b = p.x + 128;
  float d[4] = {};
  uint32_t left[4], right[2];
  for (int e = 0; e < 4; ++e) {
    const float v = a[(g + e % 2 * 8) * 8 + t + e / 2 * 4];
    left[e] = flaw == Flaw::kNoRounding ? __float_as_uint(v + 1e-4f) : to_tf32(v);
  }
  for (int e = 0; e < 2; ++e) right[e] = to_tf32(flaw == Flaw::kSwapped ? b[g * 8 + t + e * 4] : b[(t + e * 4) * 8 + g]);
  mma_16x8x8(d, left, right);
  for (int e = 0; e < 4; ++e) p.y[(g + e / 2 * 8) * 8 + 2 * t + e % 2] = d[e];
}

// --- the host ---------------------------------------------------------------------------------------------------------

struct Outcome {
  cudaError_t code;
  std::vector<float> y;
};

std::vector<float> numbers() {
  std::vector<float> x(kNumbers);
  for (int i = 0; i < kNumbers; ++i) x[i] = float((i * 37) % 61) / 64;
  return x;
}

/// Device memory with the numbers, and a place for as many.
struct Device {
  float *x = nullptr, *y = nullptr;
  cudaStream_t stream = nullptr;
  Device() {
    cudaStreamCreate(&stream);
    cudaMalloc(&x, kNumbers * sizeof(float));
    cudaMalloc(&y, kNumbers * sizeof(float));
    cudaMemcpy(x, numbers().data(), kNumbers * sizeof(float), cudaMemcpyHostToDevice);
  }
  ~Device() {
    cudaFree(x);
    cudaFree(y);
    cudaStreamDestroy(stream);
  }
  Outcome read(int n) const {
    std::vector<float> out(n);
    cudaError_t code = cudaStreamSynchronize(stream);
    if (code == cudaSuccess) code = cudaMemcpy(out.data(), y, n * sizeof(float), cudaMemcpyDeviceToHost);
    return {code, out};
  }
};

Outcome run(void (*kernel)(Numbers), int blocks, int threads, size_t shared_bytes, int read = kNumbers) {
  Device device;
  const cudaError_t code = launch(kernel, dim3(blocks), threads, shared_bytes, device.stream, Numbers{device.x, device.y, 0.5f});
  return code == cudaSuccess ? device.read(read) : Outcome{code, {}};
}

template <Flaw flaw> Outcome turned() { return run(turn<flaw>, kBlocks, kThreads, kThreads * sizeof(float)); }
template <Flaw flaw> Outcome summed() { return run(sum<flaw>, kBlocks, kThreads, 2 * sizeof(float), kBlocks); }
template <Flaw flaw> Outcome reversed() { return run(reverse<flaw>, kBlocks, kThreads, kThreads * sizeof(float)); }
template <Flaw flaw> Outcome multiplied() { return run(multiply<flaw>, 1, kWarp, 0, 128); }

std::vector<float> expect_turned() {
  const std::vector<float> x = numbers();
  std::vector<float> y(kNumbers);
  for (int i = 0; i < kNumbers; ++i) y[i] = x[i / kThreads * kThreads + (i + 2) % kThreads] / 4;
  return y;
}
std::vector<float> expect_summed() {
  const std::vector<float> x = numbers();
  std::vector<float> y(kBlocks);
  for (int i = 0; i < kNumbers; ++i) y[i / kThreads] += x[i];
  return y;
}
std::vector<float> expect_reversed() {
  const std::vector<float> x = numbers();
  std::vector<float> y(kNumbers);
  for (int i = 0; i < kNumbers; ++i) y[i] = x[i / 4 * 4 + 3 - i % 4];
  return y;
}
std::vector<float> expect_multiplied() {
  const std::vector<float> x = numbers(); // multiples of 1/64 below 1: every sum below is exact
  std::vector<float> y(128);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j)
      for (int k = 0; k < 8; ++k) y[i * 8 + j] += x[i * 8 + k] * x[128 + k * 8 + j];
  return y;
}

Outcome freed() {
  Device device;
  float *gone;
  cudaMalloc(&gone, kNumbers * sizeof(float));
  const Memory<float> memory = gone;
  cudaFree(gone);
  launch(turn<Flaw::kNone>, dim3(kBlocks), kThreads, kThreads * sizeof(float), device.stream, Numbers{device.x, memory, 0.5f});
  return device.read(kNumbers);
}

/// All blocks read a word that one of them writes after it.
Outcome read_by_blocks() {
  Device device;
  cudaMemset(device.y, 0, kNumbers * sizeof(float));
  launch(sum<Flaw::kBlocksReadFirst>, dim3(kBlocks), kThreads, 2 * sizeof(float), device.stream, Numbers{device.x, device.y, 0.5f});
  return device.read(kBlocks);
}

Outcome at_null() {
  Device device;
  launch(turn<Flaw::kNone>, dim3(kBlocks), kThreads, kThreads * sizeof(float), device.stream, Numbers{nullptr, device.y, 0.5f});
  return device.read(kNumbers);
}

/// Shared memory up to what was asked for, and not beyond.
Outcome much_shared(int allowed, size_t wanted) {
  cudaFuncSetAttribute(turn<Flaw::kNone>, cudaFuncAttributeMaxDynamicSharedMemorySize, allowed);
  const Outcome outcome = run(turn<Flaw::kNone>, kBlocks, kThreads, wanted);
  cudaFuncSetAttribute(turn<Flaw::kNone>, cudaFuncAttributeMaxDynamicSharedMemorySize, 48 * 1024);
  return outcome;
}

Outcome too_much_allowed() {
  return {cudaFuncSetAttribute(turn<Flaw::kNone>, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024), {}};
}

/// A graph keeps the arguments that its launches were captured with, and reads memory when it runs.
Outcome replayed() {
  Device device;
  Numbers p{device.x, device.y, 0.5f};
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  cudaStreamBeginCapture(device.stream, cudaStreamCaptureModeGlobal);
  launch(turn<Flaw::kNone>, dim3(kBlocks), kThreads, kThreads * sizeof(float), device.stream, p);
  cudaMemcpyAsync(device.x, device.y, kNumbers * sizeof(float), cudaMemcpyDeviceToDevice, device.stream);
  cudaStreamEndCapture(device.stream, &graph);
  p = Numbers{nullptr, nullptr, 77.0f};
  cudaGraphInstantiate(&ready, graph, 0);
  cudaGraphDestroy(graph);
  for (int k = 0; k < 3; ++k) cudaGraphLaunch(ready, device.stream);
  const Outcome outcome = device.read(kNumbers);
  cudaGraphExecDestroy(ready);
  return outcome;
}
std::vector<float> expect_replayed() {
  const std::vector<float> x = numbers();
  std::vector<float> y(kNumbers);
  for (int i = 0; i < kNumbers; ++i) y[i] = x[i / kThreads * kThreads + (i + 6) % kThreads] / 64;
  return y;
}

Outcome captured_wait() {
  Device device;
  cudaStreamBeginCapture(device.stream, cudaStreamCaptureModeGlobal);
  const cudaError_t code = cudaStreamSynchronize(device.stream);
  cudaGraph_t graph;
  cudaStreamEndCapture(device.stream, &graph);
  cudaGraphDestroy(graph);
  return {code, {}};
}

/// Pinned memory holds what a copy brings when the event after it has been waited for; what was there, before.
Outcome pinned(bool wait) {
  Device device;
  float *host;
  cudaEvent_t copied;
  cudaEventCreate(&copied);
  cudaMallocHost(&host, kNumbers * sizeof(float));
  std::memset(host, 0, kNumbers * sizeof(float));
  cudaMemcpyAsync(host, device.x, kNumbers * sizeof(float), cudaMemcpyDeviceToHost, device.stream);
  cudaEventRecord(copied, device.stream);
  const cudaError_t code = wait ? cudaEventSynchronize(copied) : cudaSuccess;
  const Outcome outcome{code, std::vector<float>(host, host + kNumbers)};
  cudaEventDestroy(copied);
  cudaFreeHost(host);
  return outcome;
}

/// cudaMemcpy waits for streams, but not for one that is apart.
Outcome copied_beside(unsigned flags) {
  Device device;
  cudaStream_t beside;
  cudaStreamCreateWithFlags(&beside, flags);
  launch(turn<Flaw::kNone>, dim3(kBlocks), kThreads, kThreads * sizeof(float), beside, Numbers{device.x, device.y, 0.5f});
  std::vector<float> y(kNumbers);
  const cudaError_t code = cudaMemcpy(y.data(), device.y, kNumbers * sizeof(float), cudaMemcpyDeviceToHost);
  cudaStreamDestroy(beside);
  return {code, y};
}

Outcome freed_twice() {
  float *memory;
  cudaMalloc(&memory, 16);
  cudaFree(memory);
  return {cudaFree(memory), {}};
}

Outcome too_far() {
  Device device;
  return {cudaMemset(device.x + 1, 0, kNumbers * sizeof(float)), {}};
}

struct Case {
  const char *name;
  std::function<Outcome()> run;
  std::vector<float> expected;
};

std::vector<Case> cases() {
  constexpr size_t kShared = kThreads * sizeof(float);
  return {
      {"turned", turned<Flaw::kNone>, expect_turned()},
      {"summed", summed<Flaw::kNone>, expect_summed()},
      {"reversed", reversed<Flaw::kNone>, expect_reversed()},
      {"multiplied", multiplied<Flaw::kNone>, expect_multiplied()},
      {"replayed", replayed, expect_replayed()},
      {"pinned", [] { return pinned(true); }, numbers()},
      {"all shared memory", [] { return much_shared(227 * 1024, 227 * 1024); }, expect_turned()},
      {"copied after", [] { return copied_beside(cudaStreamDefault); }, expect_turned()},
      {"copied too early", [] { return copied_beside(cudaStreamNonBlocking); }, {}},
      {"no barrier", turned<Flaw::kNoBarrier>, {}},
      {"no barrier after reading", turned<Flaw::kAfterRead>, {}},
      {"agreeing writers", turned<Flaw::kAgreeing>, {}},
      {"beyond shared memory", turned<Flaw::kBeyondShared>, {}},
      {"beyond device memory", turned<Flaw::kBeyondDevice>, {}},
      {"unwritten shared memory", turned<Flaw::kUnwritten>, {}},
      {"two barriers", turned<Flaw::kTwoBarriers>, {}},
      {"writer among readers", turned<Flaw::kManyRead>, {}},
      {"threads end", turned<Flaw::kEnds>, {}},
      {"one round more", turned<Flaw::kMoreRounds>, {}},
      {"two blocks write", summed<Flaw::kBlocksWrite>, {}},
      {"two blocks, one reads", summed<Flaw::kBlocksRead>, {}},
      {"all blocks read, one writes", read_by_blocks, {}},
      {"lanes stay away", summed<Flaw::kLaneAway>, {}},
      {"lanes end", summed<Flaw::kLaneEnds>, {}},
      {"two exchanges", summed<Flaw::kTwoExchanges>, {}},
      {"half of a warp", summed<Flaw::kFewLanes>, {}},
      {"misaligned", reversed<Flaw::kMisaligned>, {}},
      {"no rounding", multiplied<Flaw::kNoRounding>, {}},
      {"swapped", multiplied<Flaw::kSwapped>, expect_multiplied()},
      {"freed", freed, {}},
      {"null", at_null, {}},
      {"unwritten output", [] { return run(multiply<Flaw::kNone>, 1, kWarp, 0, 129); }, {}},
      {"much shared memory", [] { return much_shared(64 * 1024, 64 * 1024 + 4); }, {}},
      {"too much shared memory", too_much_allowed, {}},
      {"many threads", [=] { return run(turn<Flaw::kNone>, 1, 1056, kShared); }, {}},
      {"half a warp of threads", [=] { return run(turn<Flaw::kNone>, 1, 48, kShared); }, {}},
      {"waited in a capture", captured_wait, {}},
      {"pinned, not waited for", [] { return pinned(false); }, numbers()},
      {"freed twice", freed_twice, {}},
      {"too far", too_far, {}},
  };
}

std::string bytes_of(const std::vector<float> &y) {
  uint64_t hash = 0xCBF29CE484222325u; // FNV-1a
  for (float v : y) {
    uint32_t bits;
    std::memcpy(&bits, &v, sizeof(bits));
    hash = (hash ^ bits) * 0x100000001B3u;
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
  return text;
}

std::string told(const Case &one) {
  const Outcome outcome = one.run();
  if (outcome.code != cudaSuccess) return cudaGetErrorString(outcome.code);
  return (outcome.y == one.expected ? "right " : "wrong ") + bytes_of(outcome.y);
}

#if defined(SLU_EMULATED)

void start(uint64_t seed) {
  slu_emulation_reset();
  slu_emulation_seed(seed);
}

/// Skips each barrier in turn, of kernels that are right and need all of them.
void skip_barriers(uint64_t seed) {
  std::string sites(size_t(slu_emulation_sites(nullptr, 0)), '\0');
  slu_emulation_sites(&sites[0], int64_t(sites.size()));
  for (size_t from = 0, to; (to = sites.find('\n', from)) != std::string::npos; from = to + 1) {
    const std::string site = sites.substr(from, to - from);
    for (const Case &one : cases()) {
      if (std::string(one.name) != "turned" && std::string(one.name) != "summed") continue;
      start(seed);
      slu_emulation_skip(site.c_str());
      std::printf("%s without %s\t%s\n", one.name, site.c_str(), told(one).c_str());
    }
  }
}

/// What the device can be told to be.
void configure() {
  int count = -1;
  void *memory;
  slu_emulation_devices(0);
  std::printf("no device\t%s\n", cudaGetErrorString(cudaGetDeviceCount(&count)));
  slu_emulation_reset();
  slu_emulation_memory(1000);
  slu_emulation_capability(80);
  cudaDeviceProp properties;
  cudaGetDeviceProperties(&properties, 0);
  std::printf("small\t%s %d.%d, %zu bytes\n", properties.name, properties.major, properties.minor, properties.totalGlobalMem);
  std::printf("too small\t%s\n", cudaGetErrorString(cudaMalloc(&memory, 1001)));
  std::printf("small enough\t%s\n", cudaGetErrorString(cudaMalloc(&memory, 1000)));
  std::printf("lives\t%lld\n", (long long)slu_emulation_live_bytes());
  cudaFree(memory);
  slu_emulation_shared(99 * 1024);
  std::printf("little shared memory\t%s\n", cudaGetErrorString(too_much_allowed().code));
}

#else

void start(uint64_t) {}
void skip_barriers(uint64_t) {}
void configure() {}

#endif

} // namespace

int main(int count, char **values) {
  const uint64_t seed = count > 1 ? std::strtoull(values[1], nullptr, 10) : 0;
  if (count > 2) {
    const Device device;
    const Memory<float> memory = device.x;
    memory[0] = 1.0f; // the host cannot
  }
  for (const Case &one : cases()) {
    start(seed);
    std::printf("%s\t%s\n", one.name, told(one).c_str());
  }
  start(seed);
  skip_barriers(seed);
  start(seed);
  configure();
  return 0;
}
