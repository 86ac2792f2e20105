// CUDA on a CPU, for tests: a C++ compiler makes host code of the kernels with this in place of cuda_runtime.h, and
// every kernel runs, slowly, with its threads in a shuffled order and with every access checked. What a GPU would punish
// or, worse, forgive becomes a fault: an index out of bounds, memory read before it is written or after it is freed, two
// threads at one word without a barrier between, a barrier or an exchange in a warp that not every thread reaches.
//
// A fault ends the kernel; its sentence is what cudaGetErrorString says from then on (slu_emulation_reset ends that).
// The names in the global namespace are CUDA's; what is here of them behaves as NVIDIA documents it, and the rest is not
// here. Work given to a stream is done as late as a program may count on: when it waits for it.
//
// Not seen: two streams that touch the same memory, more threads than __launch_bounds__ says, bounds of arrays of a
// thread's own (-fsanitize=bounds sees those), kernels that never end, and everything about speed.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
extern dim3 threadIdx, blockIdx, blockDim, gridDim;

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace sluice {
namespace emulation {

/// Where in the source something is done: as a default argument, where the call stands.
struct Place {
  const char *file;
  int line;
  Place(const char *file = __builtin_FILE(), int line = __builtin_LINE()) : file(file), line(line) {}
};

/// What is known of a word of memory: the stretches in which it was last written and read, and by which threads. A
/// stretch is what one block does between two barriers; they are numbered through all launches.
struct Shadow {
  uint32_t written;     // 0 = never, 1 = by the host
  uint32_t read;        // last
  uint32_t read_before; // the last that was another block's when this block read it first
  uint16_t writer, reader;
};
constexpr uint32_t kByHost = 1;
constexpr uint16_t kManyReaders = 0xFFFF;

/// A piece of memory that was asked for; it is kept, with no words, when it has been freed.
struct Region {
  uint64_t words; // of four bytes
  uint32_t *data;
  Shadow *shadow;
  enum Kind { kNone, kShared, kDevice, kHost } kind;
  uintptr_t address; // what a program sees
  uint64_t bytes;    // asked for
  int number;        // of the allocation
  bool freed;
  Place place;
};
extern Region nowhere; // where null points

/// What runs now. Between kernels the numbers are such that no access is right.
struct Now {
  uint32_t stretch, block, launch; // this one, the first of this block, the first of this launch
  uint16_t thread;
  uint64_t reads, writes; // words, for the counters
};
extern Now now;

[[noreturn, gnu::cold]] void fail_access(const Region *, int64_t word, int words, bool writes, Place);

/// Whether a thread may follow an access of another that came in stretch `then`.
inline bool ordered(uint32_t then, uint16_t thread) {
  return then < now.launch || (then >= now.block && (then != now.stretch || thread == now.thread));
}

inline void check_bounds(const Region *region, int64_t word, int words, bool writes, Place place) {
  if (uint64_t(word) >= region->words || region->words - uint64_t(word) < uint64_t(words) || word % words != 0)
    fail_access(region, word, words, writes, place);
}

template <int words> inline const uint32_t *read(const Region *region, int64_t word, Place place) {
  check_bounds(region, word, words, false, place);
  for (int k = 0; k < words; ++k) {
    Shadow &s = region->shadow[word + k];
    if (s.written == 0 || !ordered(s.written, s.writer)) fail_access(region, word + k, 1, false, place);
    if (s.read != now.stretch) {
      if (s.read >= now.launch && s.read < now.block) s.read_before = s.read;
      s.read = now.stretch;
      s.reader = now.thread;
    } else if (s.reader != now.thread) s.reader = kManyReaders;
  }
  now.reads += words;
  return region->data + word;
}

template <int words> inline uint32_t *write(const Region *region, int64_t word, Place place) {
  check_bounds(region, word, words, true, place);
  for (int k = 0; k < words; ++k) {
    Shadow &s = region->shadow[word + k];
    if (!ordered(s.written, s.writer) || !ordered(s.read, s.reader) || s.read_before >= now.launch)
      fail_access(region, word + k, 1, true, place);
    s.written = now.stretch;
    s.writer = now.thread;
  }
  now.writes += words;
  return region->data + word;
}

/// An index, and where it stands.
struct Index {
  int64_t value;
  Place place;
  template <class I, class = std::enable_if_t<std::is_integral_v<I> || std::is_enum_v<I>>>
  Index(I value, Place place = {}) : value(int64_t(value)), place(place) {}
};

/// An element that may be written; it can only be used where it stands, `auto x = memory[i]` is not a copy of a number.
template <class T> class Element {
public:
  Element(const Region *region, int64_t word, Place place) : region_(region), word_(word), place_(place) {}
  operator T() const && { return get(); }
  T operator=(T value) && { return set(value); }
  T operator=(Element &&from) && { return set(from.get()); }
  T operator+=(T value) && { return set(get() + value); }
  T operator-=(T value) && { return set(get() - value); }
  T operator*=(T value) && { return set(get() * value); }
  T operator|=(T value) && { return set(get() | value); }
  T operator^=(T value) && { return set(get() ^ value); }

private:
  T get() const {
    T value;
    std::memcpy(&value, read<sizeof(T) / 4>(region_, word_, place_), sizeof(T));
    return value;
  }
  T set(T value) const {
    std::memcpy(write<sizeof(T) / 4>(region_, word_, place_), &value, sizeof(T));
    return value;
  }
  const Region *region_;
  int64_t word_;
  Place place_;
};

/// The region that an address of cudaMalloc or cudaMallocHost lies in, and the word of it; nowhere if there is none.
const Region *find(const void *address, int64_t &word);

} // namespace emulation

/// An address of shared or of device memory, counted in T of four or eight bytes.
template <class T> class Memory {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "memory is words of four or of eight bytes");
  static constexpr int kWords = sizeof(T) / 4;

public:
  Memory(std::nullptr_t = nullptr) : region_(&emulation::nowhere), word_(0) {}
  Memory(T *address) : region_(emulation::find(address, word_)) {}
  Memory(const emulation::Region *region, int64_t word) : region_(region), word_(word) {}
  template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
  Memory(const Memory<U> &from) : region_(from.region()), word_(from.word()) {}
  /// The same bytes as numbers of another type.
  template <class U, class = std::enable_if_t<!std::is_same_v<std::remove_const_t<U>, std::remove_const_t<T>>>,
            class = void>
  explicit Memory(const Memory<U> &from) : region_(from.region()), word_(from.word()) {
    static_assert(std::is_const_v<T> || !std::is_const_v<U>, "const stays const");
  }

  auto operator[](emulation::Index i) const {
    const int64_t word = word_ + i.value * kWords;
    if constexpr (std::is_const_v<T>) {
      std::remove_const_t<T> value;
      std::memcpy(&value, emulation::read<kWords>(region_, word, i.place), sizeof(T));
      return value;
    } else return emulation::Element<T>(region_, word, i.place);
  }
  template <class I> Memory operator+(I n) const { return {region_, word_ + int64_t(n) * kWords}; }
  template <class I> Memory operator-(I n) const { return {region_, word_ - int64_t(n) * kWords}; }
  template <class I> Memory &operator+=(I n) { return *this = *this + n; }
  template <class I> Memory &operator-=(I n) { return *this = *this - n; }
  bool operator==(std::nullptr_t) const { return region_ == &emulation::nowhere; }
  bool operator!=(std::nullptr_t) const { return region_ != &emulation::nowhere; }
  explicit operator bool() const { return *this != nullptr; }

  const emulation::Region *region() const { return region_; }
  int64_t word() const { return word_; }

private:
  const emulation::Region *region_;
  int64_t word_;
};

namespace emulation {

extern Region shared;

/// Waits for all threads of the block. @returns whether the predicate of any of them is not zero. A vote is no site that
/// slu_emulation_skip knows: it is there for its answer.
int wait_for_block(int predicate, bool vote, Place);

/// What the last lane to arrive does for all of its warp; `lanes` points to what each of them brought.
using Together = void (*)(void *const (&lanes)[32]);
/// Waits for all lanes of the warp, at one and the same place.
void meet(unsigned mask, Together, void *mine, Place);
[[noreturn, gnu::cold]] void fail_operand(Place);

template <class T> struct Shuffle {
  T value;
  int from;
  T result;
};
template <class T> T shuffle(unsigned mask, T value, int from, Place place) {
  Shuffle<T> mine{value, from & 31, {}};
  const Together exchange = [](void *const (&lanes)[32]) {
    for (void *lane : lanes) {
      auto *one = static_cast<Shuffle<T> *>(lane);
      one->result = static_cast<Shuffle<T> *>(lanes[one->from])->value;
    }
  };
  meet(mask, exchange, &mine, place);
  return mine.result;
}
unsigned vote(unsigned mask, bool predicate, Place);

} // namespace emulation

inline Memory<float> shared_memory() { return {&emulation::shared, 0}; }

inline float4 load4(Memory<const float> at, emulation::Place place = {}) {
  float4 v;
  std::memcpy(&v, emulation::read<4>(at.region(), at.word(), place), sizeof(v));
  return v;
}
inline void store4(Memory<float> at, float4 v, emulation::Place place = {}) {
  std::memcpy(emulation::write<4>(at.region(), at.word(), place), &v, sizeof(v));
}

/// As cvt.rna.tf32.f32: ten bits of fraction, ties away from zero.
inline uint32_t to_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return std::isnan(x) ? 0x7FFFFFFFu : (bits + 0x1000u) & ~0x1FFFu;
}

/// As device.h says; products are exact, and are added in float32, one after another with growing k, to what stood in d.
/// (NVIDIA leaves order and rounding of the sum open.) An operand that is no TF32 number is a fault: a tensor core would
/// silently cut it off.
void mma_16x8x8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], emulation::Place place = {});

} // namespace sluice

// --- what kernels call ------------------------------------------------------------------------------------------------

inline void __syncthreads(sluice::emulation::Place place = {}) { sluice::emulation::wait_for_block(0, false, place); }
inline int __syncthreads_or(int predicate, sluice::emulation::Place place = {}) {
  return sluice::emulation::wait_for_block(predicate, true, place);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, sluice::emulation::Place place = {}) {
  return sluice::emulation::vote(mask, predicate != 0, place);
}
inline int __any_sync(unsigned mask, int predicate, sluice::emulation::Place place = {}) {
  return sluice::emulation::vote(mask, predicate != 0, place) != 0;
}

#define SLU_SHUFFLES(T)                                                                                                \
  inline T __shfl_sync(unsigned mask, T value, int lane, sluice::emulation::Place place = {}) {                        \
    return sluice::emulation::shuffle(mask, value, lane, place);                                                       \
  }                                                                                                                    \
  inline T __shfl_xor_sync(unsigned mask, T value, int with, sluice::emulation::Place place = {}) {                    \
    return sluice::emulation::shuffle(mask, value, int(threadIdx.x % 32) ^ with, place);                               \
  }
SLU_SHUFFLES(int)
SLU_SHUFFLES(unsigned)
SLU_SHUFFLES(float)
SLU_SHUFFLES(double)
#undef SLU_SHUFFLES

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }

// --- what the host calls ----------------------------------------------------------------------------------------------

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorLaunchFailure = 719, // of a fault: every later call gives it too
  cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout = 9 };
constexpr unsigned cudaStreamDefault = 0, cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor;
  int major, minor, multiProcessorCount, warpSize, maxThreadsPerBlock;
};
using cudaStream_t = struct CUstream_st *;
using cudaEvent_t = struct CUevent_st *;
using cudaGraph_t = struct CUgraph_st *;
using cudaGraphExec_t = struct CUgraphExec_st *;

cudaError_t cudaGetDeviceCount(int *);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *, int device);
cudaError_t cudaDriverGetVersion(int *);
cudaError_t cudaRuntimeGetVersion(int *);
cudaError_t cudaSetDevice(int);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
const char *cudaGetErrorString(cudaError_t);

cudaError_t cudaFree(void *);
cudaError_t cudaFreeHost(void *);
cudaError_t cudaMemset(void *, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void *, int value, size_t bytes, cudaStream_t = nullptr);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t = nullptr);

cudaError_t cudaStreamCreate(cudaStream_t *);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *, cudaGraph_t, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaEventCreate(cudaEvent_t *);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventDestroy(cudaEvent_t);

namespace sluice {
namespace emulation {

/// A launch: which kernel, and what each of its threads runs.
struct Launch {
  const void *kernel;
  std::function<void()> body;
  dim3 grid;
  int threads;
  size_t shared_bytes;
  Place place;
};
cudaError_t give(Launch, cudaStream_t);
cudaError_t allocate(void **, size_t bytes, Region::Kind, Place);
cudaError_t allow_shared(const void *kernel, cudaFuncAttribute, int value);
cudaError_t occupancy(int *blocks, const void *kernel, int threads, size_t shared_bytes);

} // namespace emulation

/// Starts a kernel, whose one parameter is a struct.
template <class Parameters>
cudaError_t launch(void (*kernel)(Parameters), dim3 grid, int threads, size_t shared_bytes, cudaStream_t stream,
                   Parameters parameters, emulation::Place place = {}) {
  static_assert(std::is_trivially_copyable_v<Parameters>, "parameters go to a GPU as bytes");
  return emulation::give({reinterpret_cast<const void *>(kernel), [=] { kernel(parameters); }, grid, threads,
                          shared_bytes, place},
                         stream);
}

} // namespace sluice

template <class T> cudaError_t cudaMalloc(T **out, size_t bytes, sluice::emulation::Place place = {}) {
  return sluice::emulation::allocate(reinterpret_cast<void **>(out), bytes, sluice::emulation::Region::kDevice, place);
}
template <class T> cudaError_t cudaMallocHost(T **out, size_t bytes, sluice::emulation::Place place = {}) {
  return sluice::emulation::allocate(reinterpret_cast<void **>(out), bytes, sluice::emulation::Region::kHost, place);
}
template <class T> cudaError_t cudaFuncSetAttribute(T *kernel, cudaFuncAttribute attribute, int value) {
  return sluice::emulation::allow_shared(reinterpret_cast<const void *>(kernel), attribute, value);
}
template <class T>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, T *kernel, int threads, size_t shared_bytes) {
  return sluice::emulation::occupancy(blocks, reinterpret_cast<const void *>(kernel), threads, shared_bytes);
}

// --- what tests call --------------------------------------------------------------------------------------------------
#pragma GCC visibility push(default)
extern "C" {

struct slu_emulation_counters {
  uint64_t launches, blocks, barriers, exchanges, reads, writes; // barriers of blocks, exchanges of warps, words
};

// None of these while another call runs.

/// Decides the order of blocks and threads from the next launch on.
void slu_emulation_seed(uint64_t);
/// Makes the barriers at "file.h:12" order no memory any more; null ends it.
void slu_emulation_skip(const char *site);
/// Writes the places of all barriers passed so far, one a line. @returns the bytes that all of them take, with the 0
int64_t slu_emulation_sites(char *out, int64_t bytes);
/// Device memory there is; 4 GiB unless told.
void slu_emulation_memory(int64_t bytes);
/// Shared memory that a block may be allowed; 232448 unless told, and at most.
void slu_emulation_shared(int64_t bytes);
/// As slu_device has it: 90 = sm_90.
void slu_emulation_capability(int32_t);
void slu_emulation_devices(int32_t count);
/// Forgets a fault, and everything that the calls above chose.
void slu_emulation_reset(void);
/// Of device and pinned memory that has not been freed.
int64_t slu_emulation_live_bytes(void);
/// Since the last reset.
void slu_emulation_count(struct slu_emulation_counters *);

} // extern "C"
#pragma GCC visibility pop
