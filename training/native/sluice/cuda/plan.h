// How a block of threads works on a network: how many samples at a time, where its buffers lie, how a batch is divided.
// All of it follows from the shape, the batch and the shared memory of the device, never from the other members.
#pragma once
#include "cuda/device.h"
#include "cuda/product.h"
#include "shape.h"

namespace sluice {

constexpr int kMostSamples = 2;                // that a block works on at a time
constexpr int kMostStripes = 128;              // that a batch is divided into: sums of gradients, added in their order
constexpr size_t kMostPartials = size_t(1) << 26; // floats of all stripes of a member
constexpr size_t kSharedLimit = 163 * 1024;    // bytes of a block: what every GPU of sm_80 and sm_90 has

/// Where the packed matrices of a block lie, from its own beginning: each as it is and transposed.
struct PackedBlock {
  size_t time, time_t, up, up_t, down, down_t, size;
};

struct Plan {
  Shape shape;
  int G;          // samples that a block works on at a time
  int LP, CP, FP; // tokens, channels and hidden numbers, up to a multiple of eight
  int HP, KP;     // horizon and columns of the output, likewise
  int channel_lanes; // neighbouring threads that go over the channels of a token: a power of two
  bool resident;  // buffers lie in shared memory
  int stripes;    // of a whole batch

  // Steps between rows of the buffers. Products read rows of tokens along k or along columns: 4 mod 8 and 8 mod 16 words
  // keep the 32 lanes of an operand of x on 32 banks.
  int token_row;  // tokens of channels: (s LP + l, c), 4 mod 8
  int series_row; // tokens of all samples' channels: (l, s CP + c), 8 mod 16
  int hidden_row; // tokens of hidden numbers: (s LP + l, f), 4 mod 8

  // Offsets in floats of the working buffers
  size_t stream;   // tokens: the residual stream x; in backward its norm
  size_t stream_d; // tokens: the gradient of x
  size_t back;     // tokens: gradient of an output or an input of a product
  size_t input;    // tokens or series: input of the first product of a half
  size_t hidden;   // hidden numbers; series in backward of time mixing: the gradient of its product
  size_t hidden_d; // hidden numbers: slopes, then gradients
  size_t masks;    // dropout, a word for eight elements
  size_t working;  // floats of them all
  int small;           // floats of shared memory for sums over the block, and slabs of products, behind them
  size_t shared_bytes;

  // Offsets in floats of a block's scratch in device memory
  size_t saved, output, output_d, revin, scratch;

  PackedBlock packed_block;
  size_t packed_head, packed_head_t, packed;

  SLU_INLINE int groups_of(int64_t samples) const { return int((samples + G - 1) / G); }
  SLU_INLINE int stripes_of(int64_t samples) const {
    const int groups = groups_of(samples);
    return groups < stripes ? groups : stripes;
  }
};

// Words of shared memory before the buffers: sums over the block, in two turns of two numbers for each warp and sample; the
// factors of a norm; what a pass is over; slabs of products.
constexpr int kScaleAt = 2 * kWarps * 2 * kMostSamples;
constexpr int kGroupAt = kScaleAt + kMostSamples;
constexpr int kSlabsAt = kGroupAt + kMostSamples + 12;

inline Plan plan_of(const Shape &s, int batch, size_t shared_limit) {
  Plan p{};
  p.shape = s;
  p.LP = up_to(s.L, 8), p.CP = up_to(s.C, 8), p.FP = up_to(s.F, 8);
  p.HP = up_to(s.H, 8), p.KP = up_to(s.columns(), 8);
  for (p.channel_lanes = 8; p.channel_lanes < p.CP && p.channel_lanes < kThreads;) p.channel_lanes *= 2;
  p.token_row = p.CP + 4;
  p.hidden_row = p.FP + 4;
  const auto lay_out = [&](int G) {
    p.G = G;
    p.series_row = up_to(G * p.CP, 16) + 8;
    const size_t tokens = size_t(G) * p.LP * p.token_row, series = size_t(p.LP) * p.series_row;
    const size_t hidden = size_t(G) * p.LP * p.hidden_row;
    size_t at = 0;
    const auto take = [&](size_t floats) {
      const size_t begin = at;
      at += up_to(int(floats % 4), 4) + floats / 4 * 4;
      return begin;
    };
    p.stream = take(tokens);
    p.stream_d = take(tokens);
    p.back = take(tokens);
    p.input = take(tokens > series ? tokens : series);
    p.hidden = take(hidden > series ? hidden : series);
    p.hidden_d = take(hidden);
    const size_t time_masks = size_t(G) * s.C * (p.LP / 8), token_masks = size_t(G) * s.L * ((p.FP + p.CP) / 8);
    p.masks = take(time_masks > token_masks ? time_masks : token_masks);
    p.working = at;
    return at;
  };
  const auto fits = [&](int G) { return (lay_out(G) + kSlabsAt) * sizeof(float) <= shared_limit; };
  // two samples if they fit, since their gradients are added in registers; but enough blocks to fill a GPU
  const int G = batch / kMostSamples >= kMostStripes && fits(kMostSamples) ? kMostSamples : 1;
  p.resident = fits(G);
  p.small = kSlabsAt + (p.resident ? 0 : StagedProducts<true>::kSlabs);
  p.shared_bytes = (p.small + (p.resident ? p.working : 0)) * sizeof(float);

  const size_t by_memory = kMostPartials / s.parameters();
  p.stripes = int(by_memory < 8 ? 8 : by_memory > kMostStripes ? kMostStripes : by_memory);
  p.stripes = p.stripes_of(batch);

  size_t at = 0;
  const auto take = [&](size_t floats) {
    const size_t begin = at;
    at += floats;
    return begin;
  };
  if (!p.resident) take(p.working); // at 0
  p.saved = take(size_t(2) * s.blocks * G * s.L * s.C);
  p.output = take(size_t(G) * p.HP * p.KP);
  p.output_d = take(size_t(G) * p.HP * p.KP);
  p.revin = take(s.revin ? size_t(2) * G * s.C : 0);
  p.scratch = up_to(int(at % 4), 4) + at / 4 * 4;

  at = 0;
  p.packed_block.time = take(Packed::floats(s.L, s.L));
  p.packed_block.time_t = take(Packed::floats(s.L, s.L));
  p.packed_block.up = take(Packed::floats(s.F, s.C));
  p.packed_block.up_t = take(Packed::floats(s.C, s.F));
  p.packed_block.down = take(Packed::floats(s.C, s.F));
  p.packed_block.down_t = take(Packed::floats(s.F, s.C));
  p.packed_block.size = at;
  at *= s.blocks;
  p.packed_head = take(s.flat ? 0 : Packed::floats(s.H, s.L));
  p.packed_head_t = take(s.flat ? 0 : Packed::floats(s.L, s.H));
  p.packed = at;

  return p;
}

/// The whole parameter p of a network goes to its places among the packed matrices, if it is of one.
template <bool Tf32>
__device__ __forceinline__ void pack_parameter(const Plan &plan, size_t p, float value, Memory<float> packed) {
  const Shape &s = plan.shape;
  if constexpr (Tf32) value = __uint_as_float(to_tf32(value));
  const auto put = [&](size_t from, int rows, int columns, size_t to, size_t to_t) {
    if (p < from || p >= from + size_t(rows) * columns) return;
    const int m = int((p - from) / columns), k = int((p - from) % columns);
    packed[to + Packed::place(m, k, columns)] = value;
    packed[to_t + Packed::place(k, m, rows)] = value;
  };
  if (p >= s.head_w()) {
    if (!s.flat) put(s.head_w(), s.H, s.L, plan.packed_head, plan.packed_head_t);
    return;
  }
  const int block = int(p / s.block_size());
  const Shape::Block at = s.block(block);
  const PackedBlock &to = plan.packed_block;
  const size_t base = block * to.size;
  put(at.time_w, s.L, s.L, base + to.time, base + to.time_t);
  put(at.up_w, s.F, s.C, base + to.up, base + to.up_t);
  put(at.down_w, s.C, s.F, base + to.down, base + to.down_t);
}

} // namespace sluice
