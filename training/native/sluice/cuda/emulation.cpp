// The emulated GPU behind emulation.h: its memory, its streams and graphs, and what tests choose. Memory of the device
// has addresses that nothing lies at and that are never given twice, so that the host cannot touch it, and an address of
// memory that was freed is known as such. What a stream is given waits in a queue until the host waits for the stream.
#undef _FORTIFY_SOURCE // its longjmp takes a change of stacks for an error
#include "cuda/emulation.h"
#include "cuda/emulation_threads.h"
#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

using sluice::emulation::Launch;
using sluice::emulation::Place;
using sluice::emulation::Region;

namespace {
using Work = std::function<void()>;
using Works = std::vector<Work>;
} // namespace

struct CUstream_st {
  bool apart = false; // cudaStreamNonBlocking: not in order with the default stream
  std::deque<Work> waiting;
  uint64_t given = 0, done = 0;
  std::unique_ptr<Works> captured; // while it captures
};
struct CUgraph_st {
  Works works;
};
struct CUgraphExec_st {
  Works works;
};
struct CUevent_st {
  cudaStream_t stream = nullptr;
  uint64_t after = 0; // so much of what the stream was given
};

namespace sluice {
namespace emulation {
namespace {

constexpr uint64_t kAddresses = uint64_t(1) << 40; // to be given to device memory
constexpr uint64_t kGrain = 256;                   // bytes that addresses are a multiple of

struct Settings {
  uint64_t memory = uint64_t(4) << 30;
  size_t shared = kSharedMost; // of a block
  int capability = 90, devices = 1;
};

/// The device as its host knows it; one call at a time, under the lock.
struct Device {
  std::mutex lock;
  Settings settings;
  std::string refusal; // the sentence of the last
  cudaError_t last = cudaSuccess;
  std::deque<Region> regions; // for ever: a Memory may point to any of them
  std::map<uintptr_t, Region *> by_address;
  uintptr_t next_address = 0, end_of_addresses = 0;
  uint64_t device_bytes = 0, host_bytes = 0; // that live
  std::map<const void *, size_t> shared_allowed; // by kernel
  CUstream_st default_stream;
  std::set<cudaStream_t> streams{&default_stream};
};
Device &device = *new Device;

cudaError_t refuse(cudaError_t code, std::string sentence) {
  device.refusal = "emulated GPU: " + sentence;
  return device.last = code;
}

/// Everything that a call of the runtime does: under the lock, unless a fault came before.
template <class Call> cudaError_t call(const Call &what) {
  const std::lock_guard<std::mutex> one(device.lock);
  if (m.fault.empty()) {
    const cudaError_t code = what();
    if (m.fault.empty()) return code;
  }
  return device.last = cudaErrorLaunchFailure;
}

// --- streams --------------------------------------------------------------------------------------------------------

cudaStream_t stream_of(cudaStream_t stream) { return stream ? stream : &device.default_stream; }

/// Does what a stream was given, as far as its `until`th piece.
void drain(cudaStream_t stream, uint64_t until = UINT64_MAX) {
  while (!stream->waiting.empty() && stream->done < until) {
    const Work work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    ++stream->done;
    if (m.fault.empty()) work();
  }
}
void drain_all() {
  for (cudaStream_t stream : device.streams) drain(stream);
}
/// What the default stream waits for, and what waits for it.
void drain_ordered() {
  for (cudaStream_t stream : device.streams)
    if (!stream->apart) drain(stream);
}

bool any_captures() {
  for (cudaStream_t stream : device.streams)
    if (stream->captured) return true;
  return false;
}

cudaError_t give(cudaStream_t stream, Work work) {
  if (stream->captured) stream->captured->push_back(std::move(work));
  else {
    if (stream == &device.default_stream) drain_ordered();
    else if (!stream->apart) drain(&device.default_stream);
    stream->waiting.push_back(std::move(work));
    ++stream->given;
  }
  return cudaSuccess;
}

/// A call on a stream that must be there.
template <class Call> cudaError_t call_on(cudaStream_t stream, const Call &what) {
  return call([&] {
    stream = stream_of(stream);
    if (device.streams.count(stream) == 0) return refuse(cudaErrorInvalidResourceHandle, "this stream was destroyed, or never made");
    return what(stream);
  });
}

/// A call that waits for the default stream, and must not come while work is captured.
template <class Call> cudaError_t call_waiting(const Call &what) {
  return call([&] {
    if (any_captures()) return refuse(cudaErrorStreamCaptureUnsupported, "a call that waits came while a stream captures");
    drain_ordered();
    return what();
  });
}

// --- memory ---------------------------------------------------------------------------------------------------------

Region *region_at(const void *address) {
  auto after = device.by_address.upper_bound(uintptr_t(address));
  if (after == device.by_address.begin()) return nullptr;
  Region *region = std::prev(after)->second;
  return uintptr_t(address) - region->address <= region->bytes ? region : nullptr;
}

/// An end of a copy.
struct Side {
  Region *region; // null = ordinary memory of the host
  char *host;     // then, its address
  uint64_t at;    // bytes from the region's beginning
  bool is_device() const { return region && region->kind == Region::kDevice; }
  char *bytes() const { return region ? reinterpret_cast<char *>(region->data) + at : host; }
};
Side side_of(const void *address) {
  Region *region = region_at(address);
  return {region, static_cast<char *>(const_cast<void *>(address)), region ? uintptr_t(address) - region->address : 0};
}

/// Whether a copy or a fill stays inside; otherwise says why not.
bool reaches(const Side &side, size_t bytes, const char *what) {
  if (!side.region || (!side.region->freed && side.at + bytes <= side.region->bytes)) return true;
  refuse(cudaErrorInvalidValue,
         text("%s of %zu bytes at byte %llu of %s, which %s", what, bytes, (unsigned long long)side.at,
              name_of(*side.region).c_str(),
              side.region->freed ? "has been freed" : text("has %llu bytes", (unsigned long long)side.region->bytes).c_str()));
  return false;
}

void mark_written(const Side &side, size_t bytes, const Side *from = nullptr) {
  if (!side.region || bytes == 0) return;
  for (uint64_t word = side.at / 4; word <= (side.at + bytes - 1) / 4; ++word) {
    const bool known = !from || !from->region || from->region->shadow[from->at / 4 + word - side.at / 4].written != 0;
    side.region->shadow[word].written = known ? kByHost : 0;
  }
}

void fail_work(const std::string &sentence) { m.fault = "emulated GPU: " + sentence; }

void copy(const Side &to, const Side &from, size_t bytes) {
  if (!reaches(to, bytes, "a copy") || !reaches(from, bytes, "a copy")) return fail_work(device.refusal);
  if (from.is_device() && !to.is_device())
    for (uint64_t word = from.at / 4; bytes > 0 && word <= (from.at + bytes - 1) / 4; ++word)
      if (from.region->shadow[word].written == 0)
        return fail_work(text("a copy to the host reads word %llu of %s, which nobody has written",
                              (unsigned long long)word, name_of(*from.region).c_str()));
  std::memcpy(to.bytes(), from.bytes(), bytes);
  mark_written(to, bytes, &from);
}

cudaError_t check_copy(const Side &to, const Side &from, size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (to.is_device() != to_device || from.is_device() != from_device))
    return refuse(cudaErrorInvalidValue, "a copy whose addresses are not where its direction says");
  return reaches(to, bytes, "a copy") && reaches(from, bytes, "a copy") ? cudaSuccess : cudaErrorInvalidValue;
}

void fill(const Side &side, int value, size_t bytes) {
  if (!reaches(side, bytes, "a memset")) return fail_work(device.refusal);
  std::memset(side.bytes(), value, bytes);
  mark_written(side, bytes);
}
cudaError_t check_fill(const Side &side, size_t bytes) {
  if (!side.is_device()) return refuse(cudaErrorInvalidValue, "a memset of what is not device memory");
  return reaches(side, bytes, "a memset") ? cudaSuccess : cudaErrorInvalidValue;
}

/// Addresses for a piece of device memory; 0 if all have been given.
uintptr_t new_address(size_t bytes) {
  if (device.end_of_addresses == 0) {
    void *all = mmap(nullptr, kAddresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return 0;
    device.next_address = uintptr_t(all);
    device.end_of_addresses = uintptr_t(all) + kAddresses;
  }
  const uint64_t taken = (bytes / kGrain + 2) * kGrain; // a grain lies between any two
  if (device.end_of_addresses - device.next_address < taken) return 0;
  return std::exchange(device.next_address, device.next_address + taken);
}

cudaError_t free_memory(void *address, Region::Kind kind) {
  const std::lock_guard<std::mutex> one(device.lock); // after a fault too
  if (address == nullptr) return m.fault.empty() ? cudaSuccess : cudaErrorLaunchFailure;
  drain_all();
  Region *region = region_at(address);
  if (!region || region->kind != kind || region->freed || region->address != uintptr_t(address))
    return refuse(cudaErrorInvalidValue, "freed is what was not allocated, or has been freed before");
  (kind == Region::kDevice ? device.device_bytes : device.host_bytes) -= region->bytes;
  if (kind == Region::kHost) device.by_address.erase(region->address); // malloc will give it again
  std::free(region->data);
  std::free(region->shadow);
  region->freed = true;
  region->words = 0;
  return m.fault.empty() ? cudaSuccess : device.last = cudaErrorLaunchFailure;
}

size_t allowed_shared(const void *kernel) {
  const auto at = device.shared_allowed.find(kernel);
  return at == device.shared_allowed.end() ? kSharedDefault : at->second;
}

cudaError_t check_launch(const Launch &launch) {
  const std::string kernel = "the kernel of " + name_of(launch.place);
  const dim3 &grid = launch.grid;
  if (launch.threads < 1 || launch.threads > kMostThreads)
    return refuse(cudaErrorInvalidConfiguration, kernel + text(" has %d threads a block: 1 to 1024 are possible", launch.threads));
  if (launch.threads % kLanes != 0)
    return refuse(cudaErrorInvalidConfiguration, kernel + text(" has %d threads a block: no whole warps", launch.threads));
  if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535)
    return refuse(cudaErrorInvalidConfiguration, kernel + text(" has a grid of %u x %u x %u blocks", grid.x, grid.y, grid.z));
  const size_t allowed = allowed_shared(launch.kernel);
  if (launch.shared_bytes > allowed)
    return refuse(cudaErrorInvalidValue, kernel + text(" wants %zu bytes of shared memory, and %zu are allowed", launch.shared_bytes, allowed));
  return cudaSuccess;
}

} // namespace

const Region *find(const void *address, int64_t &word) {
  const std::lock_guard<std::mutex> one(device.lock);
  const Region *region = address ? region_at(address) : nullptr;
  word = region ? int64_t(uintptr_t(address) - region->address) / 4 : 0;
  return region ? region : &nowhere;
}

cudaError_t give(Launch launch, cudaStream_t stream) {
  return call_on(stream, [&](cudaStream_t on) {
    const cudaError_t code = check_launch(launch);
    return code != cudaSuccess ? code : give(on, [launch] { run(launch); });
  });
}

cudaError_t allocate(void **out, size_t bytes, Region::Kind kind, Place place) {
  return call([&] {
    if (any_captures()) return refuse(cudaErrorStreamCaptureUnsupported, "an allocation came while a stream captures");
    const uint64_t words = (bytes + 3) / 4;
    const bool on_device = kind == Region::kDevice;
    *out = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (on_device && (bytes > device.settings.memory || device.settings.memory - bytes < device.device_bytes))
      return refuse(cudaErrorMemoryAllocation, text("out of memory: %zu bytes are wanted, %llu of %llu are taken", bytes,
                                                    (unsigned long long)device.device_bytes, (unsigned long long)device.settings.memory));
    auto *data = static_cast<uint32_t *>(std::aligned_alloc(kGrain, (words * 4 + kGrain - 1) / kGrain * kGrain));
    auto *shadow = static_cast<Shadow *>(std::calloc(words, sizeof(Shadow)));
    const uintptr_t address = on_device ? new_address(bytes) : uintptr_t(data);
    if (!data || !shadow || !address) {
      std::free(data);
      std::free(shadow);
      return refuse(cudaErrorMemoryAllocation, text("the host has no %zu bytes left", bytes));
    }
    Region &region = device.regions.emplace_back(
        Region{words, data, shadow, kind, address, bytes, int(device.regions.size()) + 1, false, place});
    if (!on_device) mark_written({&region, nullptr, 0}, bytes); // what the host writes there is not seen
    device.by_address[address] = &region;
    (on_device ? device.device_bytes : device.host_bytes) += bytes;
    *out = reinterpret_cast<void *>(address);
    return cudaSuccess;
  });
}

cudaError_t allow_shared(const void *kernel, cudaFuncAttribute attribute, int value) {
  return call([&] {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (value < 0 || size_t(value) > device.settings.shared)
      return refuse(cudaErrorInvalidValue,
                    text("%d bytes of shared memory: a block has %zu at most", value, device.settings.shared));
    device.shared_allowed[kernel] = size_t(value);
    return cudaSuccess;
  });
}

cudaError_t occupancy(int *blocks, const void *kernel, int threads, size_t shared_bytes) {
  return call([&] {
    if (threads < 1 || threads > kMostThreads || shared_bytes > allowed_shared(kernel)) *blocks = 0;
    else *blocks = 2 * threads <= 2 * kMostThreads && 2 * (shared_bytes + 1024) <= kSharedProcessor ? 2 : 1;
    return cudaSuccess;
  });
}

} // namespace emulation
} // namespace sluice

using namespace sluice::emulation;

// --- the runtime ------------------------------------------------------------------------------------------------------

cudaError_t cudaGetDeviceCount(int *count) {
  *count = 0;
  return call([&] {
    *count = device.settings.devices;
    return *count > 0 ? cudaSuccess : refuse(cudaErrorNoDevice, "no device is here");
  });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int index) {
  return call([&] {
    if (index < 0 || index >= device.settings.devices) return refuse(cudaErrorInvalidDevice, "this device is not here");
    *out = {};
    std::strcpy(out->name, "emulated GPU");
    out->totalGlobalMem = device.settings.memory;
    out->sharedMemPerBlock = kSharedDefault;
    out->sharedMemPerBlockOptin = device.settings.shared;
    out->sharedMemPerMultiprocessor = kSharedProcessor;
    out->major = device.settings.capability / 10;
    out->minor = device.settings.capability % 10;
    out->multiProcessorCount = 4;
    out->warpSize = kLanes;
    out->maxThreadsPerBlock = kMostThreads;
    return cudaSuccess;
  });
}
cudaError_t cudaDriverGetVersion(int *version) {
  *version = device.settings.devices > 0 ? 13000 : 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int index) {
  return call([&] {
    return index >= 0 && index < device.settings.devices ? cudaSuccess : refuse(cudaErrorInvalidDevice, "this device is not here");
  });
}
cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  return call([&] {
    *total = device.settings.memory;
    *free = *total > device.device_bytes ? *total - device.device_bytes : 0;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceSynchronize() {
  return call_waiting([] {
    drain_all();
    return cudaSuccess;
  });
}
cudaError_t cudaGetLastError() {
  const std::lock_guard<std::mutex> one(device.lock);
  if (!m.fault.empty()) return cudaErrorLaunchFailure;
  return std::exchange(device.last, cudaSuccess);
}
cudaError_t cudaPeekAtLastError() {
  const std::lock_guard<std::mutex> one(device.lock);
  return m.fault.empty() ? device.last : cudaErrorLaunchFailure;
}
const char *cudaGetErrorString(cudaError_t code) {
  if (code == cudaSuccess) return "no error";
  if (code == cudaErrorLaunchFailure) return m.fault.c_str();
  return device.refusal.c_str();
}

cudaError_t cudaFree(void *address) { return free_memory(address, Region::kDevice); }
cudaError_t cudaFreeHost(void *address) { return free_memory(address, Region::kHost); }

cudaError_t cudaMemset(void *to, int value, size_t bytes) {
  return call_waiting([&] {
    const Side side = side_of(to);
    const cudaError_t code = check_fill(side, bytes);
    if (code == cudaSuccess) fill(side, value, bytes);
    return code;
  });
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  return call_on(stream, [&](cudaStream_t on) {
    const Side side = side_of(to);
    const cudaError_t code = check_fill(side, bytes);
    return code != cudaSuccess ? code : give(on, [=] { fill(side, value, bytes); });
  });
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  return call_waiting([&] {
    const Side target = side_of(to), source = side_of(from);
    const cudaError_t code = check_copy(target, source, bytes, kind);
    if (code == cudaSuccess) copy(target, source, bytes);
    return code;
  });
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return call_on(stream, [&](cudaStream_t on) {
    const Side target = side_of(to), source = side_of(from);
    const cudaError_t code = check_copy(target, source, bytes, kind);
    if (code != cudaSuccess) return code;
    if (!source.region && !on->captured) { // memory that is not pinned is read before the call returns
      const std::string staged(source.host, bytes);
      return give(on, [=] { copy(target, {nullptr, const_cast<char *>(staged.data()), 0}, bytes); });
    }
    give(on, [=] { copy(target, source, bytes); });
    if (!target.region && !on->captured) drain(on); // and has been written
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
  return call([&] {
    device.streams.insert(*out = new CUstream_st);
    (*out)->apart = flags == cudaStreamNonBlocking;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreate(cudaStream_t *out) { return cudaStreamCreateWithFlags(out, cudaStreamDefault); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard<std::mutex> one(device.lock); // after a fault too
  if (!stream || device.streams.count(stream) == 0) return refuse(cudaErrorInvalidResourceHandle, "this stream is not there to be destroyed");
  drain(stream);
  device.streams.erase(stream);
  delete stream;
  return m.fault.empty() ? cudaSuccess : cudaErrorLaunchFailure;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call_on(stream, [](cudaStream_t on) {
    if (on->captured) return refuse(cudaErrorStreamCaptureUnsupported, "a stream that captures was waited for");
    drain(on);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  return call_on(stream, [](cudaStream_t on) {
    if (on == &device.default_stream || on->captured)
      return refuse(cudaErrorStreamCaptureUnsupported, "the default stream, or one that captures already, cannot capture");
    on->captured = std::make_unique<Works>();
    return cudaSuccess;
  });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  return call_on(stream, [&](cudaStream_t on) {
    if (!on->captured) return refuse(cudaErrorInvalidValue, "this stream does not capture");
    *out = new CUgraph_st{std::move(*on->captured)};
    on->captured.reset();
    return cudaSuccess;
  });
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
  return call([&] {
    *out = new CUgraphExec_st{graph->works};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  return call_on(stream, [&](cudaStream_t on) {
    for (const Work &work : graph->works) give(on, work);
    return cudaSuccess;
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned) {
  return call([&] {
    *out = new CUevent_st;
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t *out) { return cudaEventCreateWithFlags(out, cudaEventDefault); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call_on(stream, [&](cudaStream_t on) {
    *event = {on, on->given};
    return cudaSuccess;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call([&] {
    if (event->stream && device.streams.count(event->stream)) drain(event->stream, event->after);
    return cudaSuccess;
  });
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

// --- what tests call --------------------------------------------------------------------------------------------------

void slu_emulation_seed(uint64_t seed) { m.seed = seed; }

void slu_emulation_skip(const char *site) {
  m.skipped = site ? site : "";
  for (auto &[place, one] : m.sites) one.skipped = one.name == m.skipped;
}

int64_t slu_emulation_sites(char *out, int64_t bytes) {
  std::set<std::string> names;
  for (const auto &[place, site] : m.sites) names.insert(site.name);
  std::string all;
  for (const std::string &name : names) all += name + "\n";
  if (bytes > 0) std::snprintf(out, size_t(bytes), "%s", all.c_str());
  return int64_t(all.size()) + 1;
}

void slu_emulation_memory(int64_t bytes) { device.settings.memory = uint64_t(bytes); }
void slu_emulation_shared(int64_t bytes) { device.settings.shared = std::min<uint64_t>(uint64_t(bytes), kSharedMost); }
void slu_emulation_capability(int32_t capability) { device.settings.capability = capability; }
void slu_emulation_devices(int32_t count) { device.settings.devices = count; }
int64_t slu_emulation_live_bytes() { return int64_t(device.device_bytes + device.host_bytes); }
void slu_emulation_count(slu_emulation_counters *out) { *out = m.counters; }

void slu_emulation_reset() {
  m.fault.clear();
  m.seed = 0;
  m.counters = {};
  slu_emulation_skip(nullptr);
  device.settings = {};
  device.last = cudaSuccess;
}
