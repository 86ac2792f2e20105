// The kernels of a training step, in the order of their launches: `learn` gives each stripe of each member's batch its
// gradient, `reduce` adds the stripes, `judge` decides on the update, `update` makes it. They are the same for every
// step, since all that changes from step to step lies in device memory: a step is one part of a CUDA graph.
//
// Floors of a step in bytes moved, for P parameters and S stripes of a member: reduce reads 4 S P and writes 4 P; judge
// reads P / 4; update reads 16 P and writes 12 P, and 8 for each weight of a matrix. Floors of learn: network.h.
#pragma once
#include "cuda/network.h"
#include <cfloat>

namespace sluice {

constexpr int kChunk = 256; // parameters of a block of reduce and update, and its threads; those of judge too
constexpr int kChunkWarps = kChunk / kWarp;

/// What judge says of a member's step. A bad verdict stands until the host has read it.
enum Verdict : int32_t { kIdle = 0, kUpdate = 1, kBadLoss = 2, kBadGradient = 3 };

/// Device memory of a handle; P parameters, S stripes.
struct Table {
  Memory<float> parameters, first, second, gradient; // [members, P]
  Memory<float> packed;                              // [members, plan.packed]
  Memory<float> partials;                            // [members, S, P]
  Memory<double> losses;                             // [members, S]
  Memory<double> squares;                            // [members, chunks, kChunkWarps]
  Memory<double> judged;                             // [members, 2, kChunkWarps] sums of judge's warps
  Memory<int64_t> steps;                             // [members]
  Memory<int64_t> seen;                              // [members] samples that the call looked at
  Memory<double> seen_loss;                          // [members] sum over them of their loss
  Memory<double> step_loss;                          // [members] of the step in progress
  Memory<float> own;                                 // [members, 4] learning rate, weight decay, lambda, clip
  Memory<uint32_t> chance;                           // [members, 3] dropout of 65536, key
  Memory<float> adamw;                               // [members, 4] decay, step size, scale of second moments, of gradients
  Memory<int32_t> verdict;                           // [members]
  Memory<int64_t> halted;                            // [1] a verdict was bad: nothing moves any more
  Memory<float> scratch;                             // [blocks, plan.scratch]
  Memory<double> loss_scratch;                       // [blocks, kWarps]
};

/// The one parameter of the kernels of a step.
struct Step {
  Plan plan;
  DeviceData data;
  Table table;
  int members, batch, chunks;
  float huber; // delta, 0 = squared error
  float beta1, beta2, epsilon;
  Memory<const int32_t> train;   // [n]
  Memory<const float> schedule;  // [n_schedule]
  Memory<const uint32_t> active; // [members]
  int64_t n, n_schedule, to_step;
  int64_t listed; // not negative: one step numbered so over exactly these n samples, whatever the batch

  __device__ __forceinline__ bool moving(int k) const { return active[k] != 0 && (listed >= 0 || table.steps[k] < to_step); }
  __device__ __forceinline__ int64_t per_epoch() const { return (n + batch - 1) / batch; }
  /// Place of the batch's first sample in the order of its epoch.
  __device__ __forceinline__ int64_t first(int64_t step) const { return listed >= 0 ? 0 : step % per_epoch() * batch; }
  __device__ __forceinline__ int count(int64_t step) const {
    const int64_t rest = n - first(step);
    return int(listed < 0 && batch < rest ? batch : rest);
  }
  __device__ __forceinline__ int64_t step(int k) const { return listed >= 0 ? listed : table.steps[k]; }
  /// Place in `train` of the i-th sample of a step's batch.
  __device__ __forceinline__ uint32_t place(int k, int64_t step, int i) const {
    if (listed >= 0) return uint32_t(i);
    return Order(key(k), uint64_t(step / per_epoch()), uint32_t(n)).at(uint32_t(first(step) + i));
  }
  __device__ __forceinline__ PhiloxKey key(int k) const { return {table.chance[3 * k + 1], table.chance[3 * k + 2]}; }
};

/// Blocks take stripes of members in turn; which takes which decides no byte.
template <bool Tf32, bool Resident>
__global__ void __launch_bounds__(kThreads, 1) learn(const __grid_constant__ Step p) {
  if (p.table.halted[0] != 0) return;
  const Plan &plan = p.plan;
  Pass<Tf32, Resident> pass(plan, p.data, p.huber, p.table.scratch + blockIdx.x * plan.scratch,
                            p.table.loss_scratch + size_t(blockIdx.x) * kWarps);
  const size_t P = plan.shape.parameters();
  for (int task = int(blockIdx.x); task < p.members * plan.stripes; task += int(gridDim.x)) {
    const int k = task / plan.stripes;
    if (!p.moving(k)) continue;
    const int count = p.count(p.step(k)), stripes = plan.stripes_of(count), stripe = task - k * plan.stripes;
    if (stripe >= stripes) continue;
    for (int at = stripe * plan.G; at < count; at += stripes * plan.G) {
      pass.begin(p.table.parameters + k * P, p.table.packed + k * plan.packed, [&](const Group &group) {
        const int64_t step = p.step(k);
        const int s = int(threadIdx.x), live = count - at < plan.G ? count - at : plan.G;
        if (s < plan.G) group.id(s, p.train[p.place(k, step, at + (s < live ? s : 0))]);
        if (s == kMostSamples)
          group.set(live, 1.0f / float(count), p.table.own[4 * k + 2], p.table.chance[3 * k], uint32_t(step), uint32_t(at), p.key(k));
      });
      const bool first = at == stripe * plan.G;
      pass.template forward<true>();
      const double loss = pass.template loss<true>() / count;
      if (threadIdx.x == 0) p.table.losses[task] = first ? loss : p.table.losses[task] + loss;
      pass.backward(p.table.partials + task * P, first);
    }
  }
}

/// Adds the stripes of a chunk of a member's gradient in their order, and the squares of the sums.
__global__ void __launch_bounds__(kChunk) reduce(const __grid_constant__ Step p) {
  if (p.table.halted[0] != 0) return;
  const int k = int(blockIdx.y), chunk = int(blockIdx.x);
  if (!p.moving(k)) return;
  const size_t P = p.plan.shape.parameters(), at = size_t(chunk) * kChunk + threadIdx.x;
  float sum = 0;
  if (at < P) {
    const int stripes = p.plan.stripes_of(p.count(p.step(k)));
    const Memory<const float> partials = p.table.partials + (size_t(k) * p.plan.stripes * P + at);
#pragma unroll 16
    for (int stripe = 0; stripe < stripes; ++stripe) sum += partials[stripe * P];
    p.table.gradient[k * P + at] = sum;
  }
  const double squares = sum_over_warp(double(sum) * sum);
  if (lane_of() == 0) p.table.squares[(size_t(k) * p.chunks + chunk) * kChunkWarps + warp_of()] = squares;
}

/// Decides on a member's step, from the sums of its loss and of the squares of its gradient.
__global__ void __launch_bounds__(kChunk) judge(const __grid_constant__ Step p) {
  if (p.table.halted[0] != 0) return;
  const int k = int(blockIdx.x);
  if (!p.moving(k)) {
    if (threadIdx.x == 0) p.table.verdict[k] = kIdle;
    return;
  }
  const int64_t step = p.table.steps[k];
  const int stripes = p.plan.stripes_of(p.count(step));
  const Memory<double> judged = p.table.judged + 2 * kChunkWarps * k;
  double loss = 0, squares = 0;
  for (int i = int(threadIdx.x); i < stripes; i += kChunk) loss += p.table.losses[k * p.plan.stripes + i];
#pragma unroll 4
  for (int i = int(threadIdx.x); i < p.chunks * kChunkWarps; i += kChunk)
    squares += p.table.squares[size_t(k) * p.chunks * kChunkWarps + i];
  loss = sum_over_warp(loss);
  squares = sum_over_warp(squares);
  if (lane_of() == 0) {
    judged[warp_of()] = loss;
    judged[kChunkWarps + warp_of()] = squares;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  loss = squares = 0;
  for (int w = 0; w < kChunkWarps; ++w) loss += judged[w], squares += judged[kChunkWarps + w];
  // a square beyond float32 would end in the second moments
  p.table.verdict[k] = !(fabs(loss) <= DBL_MAX) ? kBadLoss : !(squares < FLT_MAX) ? kBadGradient : kUpdate;
  p.table.step_loss[k] = loss;
  const float rate = p.table.own[4 * k] * p.schedule[step < p.n_schedule ? step : p.n_schedule - 1];
  const float clip = p.table.own[4 * k + 3];
  const double t = double(step + 1), limit = clip / (sqrt(squares) + 1e-6);
  p.table.adamw[4 * k] = 1 - rate * p.table.own[4 * k + 1];
  p.table.adamw[4 * k + 1] = float(rate / (1 - pow(double(p.beta1), t)));
  p.table.adamw[4 * k + 2] = float(1 / sqrt(1 - pow(double(p.beta2), t)));
  p.table.adamw[4 * k + 3] = clip > 0 && limit < 1 ? float(limit) : 1.0f;
}

/// AdamW on a chunk of a member's parameters, unless any member's step is bad.
template <bool Tf32> __global__ void __launch_bounds__(kChunk) update(const __grid_constant__ Step p) {
  const int k = int(blockIdx.y), chunk = int(blockIdx.x);
  int bad = 0;
  for (int i = int(threadIdx.x); i < p.members; i += kChunk) bad |= p.table.verdict[i] >= kBadLoss;
  const bool first = chunk == 0 && threadIdx.x == 0;
  if (__syncthreads_or(bad)) {
    if (first && k == 0) p.table.halted[0] = 1;
    return;
  }
  if (p.table.verdict[k] != kUpdate) return;
  const size_t P = p.plan.shape.parameters(), at = size_t(chunk) * kChunk + threadIdx.x, place = k * P + at;
  if (at < P) {
    const float decay = p.table.adamw[4 * k], step_size = p.table.adamw[4 * k + 1];
    const float second_scale = p.table.adamw[4 * k + 2], gradient_scale = p.table.adamw[4 * k + 3];
    const float d = p.table.gradient[place] * gradient_scale;
    const float one = p.beta1 * p.table.first[place] + (1 - p.beta1) * d;
    const float two = p.beta2 * p.table.second[place] + (1 - p.beta2) * d * d;
    const float value = p.table.parameters[place] * decay - step_size * (one / (sqrtf(two) * second_scale + p.epsilon));
    p.table.first[place] = one;
    p.table.second[place] = two;
    p.table.parameters[place] = value;
    pack_parameter<Tf32>(p.plan, at, value, p.table.packed + k * p.plan.packed);
  }
  if (!first) return;
  const int64_t step = p.table.steps[k];
  const int count = p.count(step);
  p.table.seen[k] += count;
  p.table.seen_loss[k] += p.table.step_loss[k] * count;
  p.table.steps[k] = step + 1;
}

/// The one parameter of `infer`.
struct Inference {
  Plan plan;
  DeviceData data;
  Table table;
  int members;
  float huber;
  Memory<const int32_t> samples; // [n]
  int n;
  Memory<float> y;       // [members, n, O] or null
  Memory<double> losses; // [members, groups] sums of weighted losses, or null
};

/// Forward over n samples for all members, without dropout. Floors: a sample's multiply-adds of network.h's forward; 4 L C
/// bytes of its window read, 4 for each output written, and nothing kept between.
template <bool Tf32, bool Resident>
__global__ void __launch_bounds__(kThreads, 1) infer(const __grid_constant__ Inference p) {
  const Plan &plan = p.plan;
  const Shape &s = plan.shape;
  Pass<Tf32, Resident> pass(plan, p.data, p.huber, p.table.scratch + blockIdx.x * plan.scratch,
                            p.table.loss_scratch + size_t(blockIdx.x) * kWarps);
  const int groups = plan.groups_of(p.n);
  for (int task = int(blockIdx.x); task < p.members * groups; task += int(gridDim.x)) {
    const int k = task / groups, at = task % groups * plan.G;
    const int live = p.n - at < plan.G ? p.n - at : plan.G;
    pass.begin(p.table.parameters + k * s.parameters(), p.table.packed + k * plan.packed, [&](const Group &group) {
      const int i = int(threadIdx.x);
      if (i < plan.G) group.id(i, p.samples[at + (i < live ? i : 0)]);
      if (i == kMostSamples) group.set(live, 0, 0, 0, 0, 0, {});
    });
    pass.template forward<false>();
    if (p.losses != nullptr) {
      const double loss = pass.template loss<false>();
      if (threadIdx.x == 0) p.losses[task] = loss;
    }
    if (p.y == nullptr) continue;
    const int outputs = int(s.outputs());
    for (int i = int(threadIdx.x); i < live * outputs; i += kThreads) {
      const int of = i / outputs, o = i % outputs;
      p.y[(size_t(k) * p.n + at) * outputs + i] = pass.output(of, o / s.columns(), o % s.columns());
    }
  }
}

/// The one parameter of `pack`.
struct Packing {
  Plan plan;
  Memory<const float> parameters; // [P]
  Memory<float> packed;           // [plan.packed]
};

/// Lays out the weight matrices of a member whose parameters were written. Floor: 4 P bytes read, 8 for each weight written.
template <bool Tf32> __global__ void __launch_bounds__(kChunk) pack(const __grid_constant__ Packing p) {
  const size_t at = size_t(blockIdx.x) * kChunk + threadIdx.x;
  if (at < p.plan.shape.parameters()) pack_parameter<Tf32>(p.plan, at, p.parameters[at], p.packed);
}

} // namespace sluice
