// The threads of the emulated GPU, a part of emulation.cpp. The threads of a block are fibers: each has a stack of its
// own, and one of them runs until it waits (for its block, for its warp) or ends; then another that need not wait is
// drawn. Blocks run one after another in a drawn order. So a kernel's schedule is a row of draws from the seed, and a
// kernel is right only if every schedule gives the same bytes.
#pragma once
#include "cuda/emulation.h"
#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <new>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace sluice {
namespace emulation {

constexpr int kLanes = 32, kMostThreads = 1024;
constexpr size_t kStackBytes = 256 * 1024, kPageBytes = 64 * 1024; // the largest page of either architecture
constexpr size_t kSharedDefault = 48 * 1024, kSharedMost = 227 * 1024, kSharedProcessor = 228 * 1024;
constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

Region nowhere{};
Region shared{};
// no access is ordered: nothing came before this launch, and this block has not begun
constexpr Now kNoKernel{0, UINT32_MAX, 0, 0, 0, 0};
Now now = kNoKernel;

namespace {

/// A barrier somewhere in the source.
struct Site {
  std::string name;
  bool skipped;
};

struct Warp {
  uint32_t ready = 0, exchanging = 0, waiting = 0, ended = 0; // one bit a lane
  Together together = nullptr;
  Place place; // of the exchange
  void *brought[kLanes];
};

/// A stack to run a thread of a block on; kept for the next.
struct Fiber {
  jmp_buf *start, *next; // where each kernel begins, and where it goes on; both lie on the stack
};

/// The block that runs.
struct Block {
  const Launch *launch;
  Warp warps[kMostThreads / kLanes];
  uint32_t ready; // one bit a warp that may have a ready lane
  int threads, waiting, ended;
  Place barrier; // that threads wait at
  Place last{nullptr, 0}; // that ended a stretch
  int any, answer; // predicates so far; of all threads, at the last barrier
};

/// What lasts from kernel to kernel.
struct Threads {
  uint64_t seed = 0, chance = 0;
  uint32_t stretches = kByHost; // so far
  std::string fault;            // the sentence of the first
  std::string skipped;
  std::map<std::pair<const char *, int>, Site> sites;
  slu_emulation_counters counters{};
  std::vector<Fiber> fibers;
  jmp_buf host;       // who launched the kernel
  ucontext_t creator; // who makes a fiber
  std::vector<uint32_t> shared_data;
  std::vector<Shadow> shared_shadow;
};
Threads &m = *new Threads; // for ever: other threads of the process may outlive static objects
Block block;

// --- what is said of faults -----------------------------------------------------------------------------------------

std::string text(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string text(const char *format, ...) {
  char line[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(line, sizeof(line), format, values);
  va_end(values);
  return line;
}

std::string name_of(const Place &place) {
  const char *slash = strrchr(place.file, '/');
  return text("%s:%d", slash ? slash + 1 : place.file, place.line);
}
bool same(const Place &a, const Place &b) { return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0); }

std::string name_of(const Region &region) {
  switch (region.kind) {
  case Region::kShared: return "shared memory";
  case Region::kDevice: return text("device memory %d (%s)", region.number, name_of(region.place).c_str());
  case Region::kHost: return text("pinned memory %d (%s)", region.number, name_of(region.place).c_str());
  default: return "memory at an address that is null or that nobody allocated";
  }
}

std::string name_of(dim3 at) {
  if (gridDim.y == 1 && gridDim.z == 1) return text("%u", at.x);
  return text("(%u, %u, %u)", at.x, at.y, at.z);
}

/// Ends the kernel with a fault of the thread that runs.
[[noreturn]] void fail(const std::string &what, Place place) {
  m.fault = text("emulated GPU: the kernel of %s, block %s, thread %u %s (%s)", name_of(block.launch->place).c_str(),
                 name_of(blockIdx).c_str(), threadIdx.x, what.c_str(), name_of(place).c_str());
  _longjmp(m.host, 1);
}

std::string since_barrier() {
  return " without a barrier between" + (block.last.file ? " (the last was " + name_of(block.last) + ")" : "");
}

/// What another thread did to a word in `then`, that this one should have waited for.
std::string conflict(const char *did, uint32_t then, uint16_t thread) {
  if (then < now.block) return text("which another block of the launch %s", did);
  return (thread == kManyReaders ? text("which several threads %s", did) : text("which thread %d %s", thread, did)) +
         since_barrier();
}

} // namespace

void fail_access(const Region *region, int64_t word, int words, bool writes, Place place) {
  const std::string memory = name_of(*region);
  if (now.block == kNoKernel.block) {
    fprintf(stderr, "emulated GPU: the host touches %s; only kernels may (%s)\n", memory.c_str(), name_of(place).c_str());
    abort();
  }
  const char *verb = writes ? "writes" : "reads";
  const std::string access =
      words == 1 ? text("%s word %lld of %s", verb, (long long)word, memory.c_str())
                 : text("%s words %lld to %lld of %s", verb, (long long)word, (long long)word + words - 1, memory.c_str());
  if (region->kind == Region::kNone) fail(text("%s %s", verb, memory.c_str()), place);
  if (region->freed) fail(access + ", which has been freed", place);
  if (word < 0 || uint64_t(word) + uint64_t(words) > region->words)
    fail(access + text(", which has %llu words", (unsigned long long)region->words), place);
  if (word % words != 0) fail(access + text(", which is not aligned: no multiple of %d", words), place);
  const Shadow &s = region->shadow[word];
  if (!ordered(s.written, s.writer) && s.written != 0) fail(access + ", " + conflict("wrote", s.written, s.writer), place);
  if (!writes) fail(access + ", which nobody has written", place);
  if (!ordered(s.read, s.reader)) fail(access + ", " + conflict("read", s.read, s.reader), place);
  fail(access + ", which another block of the launch read", place);
}

void fail_operand(Place place) { fail("gives the tensor cores an operand that is no TF32 number: to_tf32 is missing", place); }

// --- threads --------------------------------------------------------------------------------------------------------

namespace {

uint32_t draw() { // xorshift64*, Vigna 2016
  m.chance ^= m.chance >> 12;
  m.chance ^= m.chance << 25;
  m.chance ^= m.chance >> 27;
  return uint32_t(m.chance * 0x2545F4914F6CDD1Dull >> 32);
}

/// Below n.
unsigned draw(unsigned n) { return unsigned(uint64_t(draw()) * n >> 32); }

/// Any of the bits that are set, of the first n: the next from a drawn one on.
int draw_bit(uint32_t bits, unsigned n) {
  const uint32_t from = bits & (~0u << draw(n));
  return __builtin_ctz(from ? from : bits);
}

Warp &warp_of(unsigned thread) { return block.warps[thread / kLanes]; }
uint32_t bit_of(unsigned thread) { return 1u << thread % kLanes; }

/// Runs any thread that need not wait: of this warp while it has one, then of any.
[[noreturn]] void run_any() {
  unsigned warp = threadIdx.x / kLanes;
  while (block.warps[warp].ready == 0) {
    block.ready &= ~(1u << warp);
    if (block.ready == 0) _longjmp(m.host, 1); // all have ended
    warp = draw_bit(block.ready, block.threads / kLanes);
  }
  const int lane = draw_bit(block.warps[warp].ready, kLanes);
  block.warps[warp].ready &= ~(1u << lane);
  threadIdx.x = warp * kLanes + lane;
  now.thread = uint16_t(threadIdx.x);
  _longjmp(*m.fibers[threadIdx.x].next, 1);
}

/// The thread that runs waits until it is ready and drawn again.
void wait() {
  jmp_buf here;
  m.fibers[threadIdx.x].next = &here;
  if (_setjmp(here) == 0) run_any();
}

void end_thread() {
  Warp &warp = warp_of(threadIdx.x);
  if (block.waiting > 0) fail("ends while others wait at the barrier " + name_of(block.barrier), block.launch->place);
  if (warp.exchanging) fail("ends while others of its warp wait at " + name_of(warp.place), block.launch->place);
  warp.ended |= bit_of(threadIdx.x);
  ++block.ended;
}

/// The first frame of every stack: stands where each kernel begins.
void live() noexcept {
  jmp_buf start;
  m.fibers[threadIdx.x].start = &start;
  if (_setjmp(start) == 0) setcontext(&m.creator);
  block.launch->body(); // here again for every kernel
  end_thread();
  run_any();
}

void make_fiber() {
  // a gap that no access survives lies below each stack; their tops differ, or all would lie in the same lines of a cache
  const size_t all = kPageBytes + kStackBytes, colour = m.fibers.size() % 61 * 1088;
  char *stack = static_cast<char *>(mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (stack == MAP_FAILED || mprotect(stack + kPageBytes, kStackBytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  threadIdx.x = unsigned(m.fibers.size());
  m.fibers.push_back({});
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = stack + kPageBytes;
  context.uc_stack.ss_size = kStackBytes - colour;
  makecontext(&context, live, 0);
  swapcontext(&m.creator, &context);
}

void begin_block(const Launch &launch, dim3 at) {
  blockIdx = at;
  now.block = now.stretch = ++m.stretches;
  for (uint64_t k = 0; k < shared.words; ++k) shared.shadow[k] = {};
  block = {};
  block.launch = &launch;
  block.threads = launch.threads;
  for (int t = 0; t < launch.threads; ++t) m.fibers[t].next = m.fibers[t].start;
  for (int w = 0; w < launch.threads / kLanes; ++w) {
    block.warps[w].ready = kWholeWarp;
    block.ready |= 1u << w;
  }
  ++m.counters.blocks;
}

/// Runs a block to its end or to a fault. @returns whether it ended well
bool run_block(const Launch &launch, dim3 at) {
  begin_block(launch, at);
  threadIdx.x = unsigned(draw_bit(block.ready, launch.threads / kLanes)) * kLanes;
  if (_setjmp(m.host) == 0) run_any();
  if (m.fault.empty() && block.ended < block.threads) abort(); // whoever would wait for ever has been found in fault before
  return m.fault.empty();
}

std::vector<unsigned> shuffled(unsigned n) {
  std::vector<unsigned> order(n);
  for (unsigned i = 0; i < n; ++i) {
    const unsigned j = draw(i + 1);
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}

void run(const Launch &launch) {
  while (m.fibers.size() < size_t(launch.threads)) make_fiber();
  m.shared_data.resize(kSharedMost / 4);
  m.shared_shadow.resize(kSharedMost / 4);
  shared = {launch.shared_bytes / 4, m.shared_data.data(), m.shared_shadow.data(), Region::kShared, 0, 0, 0, false, {}};
  gridDim = launch.grid;
  blockDim = dim3(unsigned(launch.threads));
  threadIdx = dim3(0, 0, 0);
  m.chance = ((m.seed + 1) * 0x9E3779B97F4A7C15ull ^ ++m.counters.launches) | 1;
  now.launch = m.stretches + 1;
  const dim3 grid = launch.grid;
  for (unsigned k : shuffled(grid.x * grid.y * grid.z))
    if (!run_block(launch, {k % grid.x, k / grid.x % grid.y, k / grid.x / grid.y})) break;
  m.counters.reads += now.reads;
  m.counters.writes += now.writes;
  now = kNoKernel;
}

Site &site_of(Place place) {
  const auto [at, is_new] = m.sites.try_emplace({place.file, place.line});
  if (is_new) {
    at->second.name = name_of(place);
    at->second.skipped = at->second.name == m.skipped;
  }
  return at->second;
}

void end_barrier(bool vote) {
  for (int w = 0; w < block.threads / kLanes; ++w) {
    block.warps[w].waiting = 0;
    block.warps[w].ready = kWholeWarp;
    block.ready |= 1u << w;
  }
  block.waiting = 0;
  block.answer = block.any;
  block.any = 0;
  ++m.counters.barriers;
  if (!vote && site_of(block.barrier).skipped) return;
  block.last = block.barrier;
  now.stretch = ++m.stretches;
}

} // namespace

int wait_for_block(int predicate, bool vote, Place place) {
  Warp &warp = warp_of(threadIdx.x);
  if (block.waiting > 0 && !same(block.barrier, place))
    fail("waits at a barrier while others wait at " + name_of(block.barrier), place);
  if (block.ended > 0) fail("waits at a barrier that threads which have ended never reach", place);
  if (warp.exchanging) fail("waits at a barrier while others of its warp wait at " + name_of(warp.place), place);
  block.barrier = place;
  block.any |= predicate != 0;
  warp.waiting |= bit_of(threadIdx.x);
  if (++block.waiting == block.threads) end_barrier(vote);
  wait();
  return block.answer;
}

void meet(unsigned mask, Together together, void *mine, Place place) {
  Warp &warp = warp_of(threadIdx.x);
  if (mask != kWholeWarp) fail(text("exchanges with the lanes 0x%08x only, not with all of its warp", mask), place);
  if (warp.waiting) fail("exchanges in a warp of which others wait at the barrier " + name_of(block.barrier), place);
  if (warp.ended) fail("exchanges in a warp of which others have ended", place);
  if (warp.exchanging && (!same(warp.place, place) || warp.together != together))
    fail("exchanges in a warp of which others wait at " + name_of(warp.place), place);
  warp.place = place;
  warp.together = together;
  warp.brought[threadIdx.x % kLanes] = mine;
  warp.exchanging |= bit_of(threadIdx.x);
  if (warp.exchanging == kWholeWarp) {
    together(warp.brought);
    warp.exchanging = 0;
    warp.ready = kWholeWarp;
    ++m.counters.exchanges;
  }
  wait();
}

unsigned vote(unsigned mask, bool predicate, Place place) {
  struct Vote {
    bool mine;
    unsigned all;
  } one{predicate, 0};
  meet(mask,
       [](void *const(&lanes)[kLanes]) {
         unsigned all = 0;
         for (int lane = 0; lane < kLanes; ++lane) all |= unsigned(static_cast<Vote *>(lanes[lane])->mine) << lane;
         for (void *lane : lanes) static_cast<Vote *>(lane)->all = all;
       },
       &one, place);
  return one.all;
}

} // namespace emulation

namespace {

struct Fragment {
  float *d;
  const uint32_t *a, *b;
};

/// d [16, 8] += a [16, 8] b [8, 8], as 32 lanes hold them.
void multiply(void *const (&lanes)[32]) {
  float a[16][8], b[8][8], d[16][8];
  const auto number = [](uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
  };
  for (int lane = 0; lane < 32; ++lane) {
    const auto &from = *static_cast<const Fragment *>(lanes[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int e = 0; e < 4; ++e) a[g + e % 2 * 8][t + e / 2 * 4] = number(from.a[e]);
    for (int e = 0; e < 2; ++e) b[t + e * 4][g] = number(from.b[e]);
    for (int e = 0; e < 4; ++e) d[g + e / 2 * 8][2 * t + e % 2] = from.d[e];
  }
  for (int k = 0; k < 8; ++k)
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
  for (int lane = 0; lane < 32; ++lane) {
    const auto &to = *static_cast<const Fragment *>(lanes[lane]);
    for (int e = 0; e < 4; ++e) to.d[e] = d[lane / 4 + e / 2 * 8][lane % 4 * 2 + e % 2];
  }
}

bool is_tf32(uint32_t bits) { return (bits & 0x1FFFu) == 0 || (bits & 0x7FFFFFFFu) > 0x7F800000u; }

} // namespace

void mma_16x8x8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], emulation::Place place) {
  for (uint32_t bits : {a[0], a[1], a[2], a[3], b[0], b[1]})
    if (!is_tf32(bits)) emulation::fail_operand(place);
  Fragment mine{d, a, b};
  emulation::meet(~0u, multiply, &mine, place);
}

} // namespace sluice
