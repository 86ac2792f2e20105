// What the native engine is tested on: small problems, made from formulas that torch_steps.py computes too, their loss in
// float64, how far rounding may lead from it, and the devices, of which the GPU is an emulated one.

import { execFileSync } from 'node:child_process';
import { createRandom, projectPath } from '../../../core/index.ts';
import {
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerErrorBound,
  tsmixerForward,
  tsmixerOutputs,
  tsmixerParameterCount,
  tsmixerParameters,
} from '../../../models/score/index.ts';
import { openLibrary } from '../../../training/native/foreignCalls.ts';
import {
  builtSluicePath,
  findSluice,
  type NativeTsmixer,
  type NativeTsmixerConfig,
  type NativeTsmixerMember,
  type NativeTsmixerStats,
  type Precision,
} from '../../../training/native/index.ts';

/** Everything that decides what an engine computes, and the samples. */
export interface EngineCase {
  readonly shape: TsmixerShape;
  readonly batch: number;
  readonly loss: 'mse' | 'huber';
  readonly huberDelta: number;
  readonly teacherLambda: number;
  readonly series: Float32Array;
  readonly ends: Int32Array;
  /** null: the kept channels of the rows after the window */
  readonly targets: Float32Array | null;
  readonly teacher: Float32Array | null;
  readonly weights: Float32Array | null;
}

/** n numbers in [-0.5, 0.5), multiples of 2^-24; `noise` of torch_steps.py. */
export function noise(stream: number, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    let x = Math.imul(i + 1 + stream * 100003, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca77);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae3d);
    x ^= x >>> 16;
    return (x >>> 8) / 2 ** 24 - 0.5;
  });
}

/** Parameters away from every special value: tensor k is noise of stream 10 + k; `set_parameters` of torch_steps.py. */
export function caseParameters(shape: TsmixerShape): Float32Array {
  const values = new Float32Array(tsmixerParameterCount(shape));
  for (const [k, { name, dims, offset, size }] of tsmixerParameters(shape).entries()) {
    const gain = name.endsWith('gamma') || name === 'revin.weight';
    const matrix = dims.length === 2 && name.endsWith('.weight');
    const scale = matrix ? 2 * Math.sqrt(6 / (dims[0]! + dims[1]!)) : 0.4;
    const drawn = noise(10 + k, size);
    for (let i = 0; i < size; i += 1) values[offset + i] = drawn[i]! * scale + (gain ? 1 : 0);
  }
  return values;
}

/** The samples of a case; `samples_of` of torch_steps.py. */
export function caseSamples(
  shape: TsmixerShape,
  rows: number,
  batch: number,
  weighted: boolean,
): Pick<EngineCase, 'series' | 'ends' | 'targets' | 'teacher' | 'weights'> {
  const { nTokens: L, nChannels: C, horizon: H, head } = shape;
  const outputs = tsmixerOutputs(shape);
  const scaled = (stream: number, n: number, by: number, plus = 0) =>
    Float32Array.from(noise(stream, n), (v) => by * v + plus);
  return {
    series: scaled(1, rows * C, 4),
    ends: Int32Array.from({ length: batch }, (_, i) => L - 1 + ((i * 5) % (rows - L - H + 1))),
    targets: head === 'flat' ? scaled(2, batch * H, 2) : null,
    teacher: scaled(3, batch * outputs, 2).map((q, i) => (i % 5 === 2 ? Number.NaN : q)),
    weights: weighted ? scaled(4, batch, 1, 1) : null,
  };
}

/** A case drawn from a seed: any head, activation and loss, sizes from 1 up. */
export function randomCase(seed: number): EngineCase {
  const random = createRandom(seed);
  const upTo = (n: number) => 1 + random.integer(n);
  const coin = () => random.uniform() < 0.5;
  const head = coin() ? 'flat' : 'temporal';
  const nChannels = upTo(6);
  const shape: TsmixerShape = {
    nTokens: upTo(9),
    nChannels,
    hidden: upTo(7),
    blocks: upTo(3),
    horizon: upTo(4),
    head,
    keptChannels: head === 'flat' ? nChannels : upTo(nChannels),
    activation: coin() ? 'relu' : 'gelu',
    revin: head === 'temporal' && coin(),
  };
  const batch = [1, 2, 3, 7, 15, 16, 17, 20][random.integer(8)]!;
  return {
    shape,
    batch,
    loss: coin() ? 'mse' : 'huber',
    huberDelta: 0.2 + random.uniform(),
    teacherLambda: coin() ? random.uniform() : 0,
    ...caseSamples(shape, 40, batch, coin()),
  };
}

/** What an engine under test computes on. */
export interface Device {
  readonly name: string;
  /** of the library */
  readonly path: string;
  readonly precision: Precision;
}

/** The CPU. */
export const cpu: Device = { name: 'the CPU', path: builtSluicePath(), precision: 'fp32' };
const emulated = (precision: Precision): Device => ({
  name: `an emulated GPU in ${precision}`,
  path: builtSluicePath('emulated'),
  precision,
});
/** The GPU's own code, compiled for the CPU: a step takes it some ten milliseconds a sample, so problems are small. */
export const gpu = { fp32: emulated('fp32'), tf32: emulated('tf32') } as const;
/** In both precisions. */
export const gpus: readonly Device[] = [gpu.fp32, gpu.tf32];

const minutesOfBuilding = 15;

let isBuilt = false;

/** Makes the emulated GPU ready for the tests of a `describe`, and like new after each. */
export function withEmulatedGpu(): void {
  before(function () {
    if (isBuilt) return;
    this.timeout(minutesOfBuilding * 60_000);
    const build = projectPath('training', 'native', 'build.ts');
    execFileSync(process.execPath, [build, '--emulated'], { stdio: 'pipe' });
    isBuilt = true;
  });
  afterEach(() => emulation('void slu_emulation_reset()'));
}

/** Draws the order in which the emulated GPU runs blocks and threads; it must decide no byte. */
export const scheduleThreads = (seed: number): unknown =>
  emulation('void slu_emulation_seed(uint64_t seed)', seed);

/** Bytes of shared memory that a block of engines made from now on may have, at most 232448. */
export const limitSharedMemory = (bytes: number): unknown =>
  emulation('void slu_emulation_shared(int64_t bytes)', bytes);

/**
 * Shared memory for no more than a small window: buffers of others then lie in device memory, and their
 * products go through slabs, as those of large windows do on a real GPU.
 */
export const littleSharedMemory = 32 * 1024;

/** How many barriers blocks have met since the emulated GPU was new. */
export function countBarriers(): bigint {
  const counters = new BigUint64Array(6); // slu_emulation_counters
  openLibrary(gpu.fp32.path).func('void slu_emulation_count(void *out)')(counters);
  return counters[2]!;
}

/** Bytes of device memory, of which a GPU has 4 GiB otherwise. */
export const limitDeviceMemory = (bytes: number): unknown =>
  emulation('void slu_emulation_memory(int64_t bytes)', bytes);

/** How many GPUs there are. */
export const countGpus = (devices: number): unknown =>
  emulation('void slu_emulation_devices(int32_t devices)', devices);

const emulation = (prototype: string, ...values: readonly number[]): unknown =>
  openLibrary(gpu.fp32.path).func(prototype)(...values);

/** Instruction sets that the library may have kernels for; those of this machine are tried. */
export const cpuPaths = ['portable', 'avx2', 'avx512', 'neon'] as const;

/** Chooses the kernels of engines made from now on, null = the best. @returns false if this machine has them not */
export function useCpuPath(path: (typeof cpuPaths)[number] | null): boolean {
  const use = openLibrary(builtSluicePath()).func('int slu_use(const char *path)');
  return use(path) === 0;
}

/** The samples of a batch, all of them. */
export const allSamples = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

const quietMember: NativeTsmixerMember = {
  seed: 1,
  learningRate: 1e-2,
  weightDecay: 0,
  dropout: 0,
  teacher: 0,
  clip: 0,
};

/** A member that differs from one without dropout, decay, teacher and clipping in what is given. */
export const member = (changes: Partial<NativeTsmixerMember> = {}): NativeTsmixerMember => ({
  ...quietMember,
  ...changes,
});

/** An engine that holds the case's samples; its members begin with the case's parameters. Free it. */
export function openCase(
  problem: EngineCase,
  members: readonly NativeTsmixerMember[] = [member({ teacher: problem.teacherLambda })],
  config: Partial<NativeTsmixerConfig> = {},
  { path, precision }: Device = cpu,
): NativeTsmixer {
  const all = { ...configOf(problem), precision, ...config };
  const engine = findSluice(path).createTsmixer(all, members);
  const { series, ends, targets, teacher, weights, shape } = problem;
  engine.lend({ series, rows: series.length / shape.nChannels, ends, targets, teacher, weights });
  members.forEach((_, k) => {
    engine.writeState(k, stateWith(caseParameters(shape)));
  });
  return engine;
}

/** The engine's configuration of a case. */
export function configOf({ shape, batch, loss, huberDelta }: EngineCase): NativeTsmixerConfig {
  const { nTokens, nChannels, hidden, blocks, horizon, head, keptChannels } = shape;
  return {
    tokens: nTokens,
    channels: nChannels,
    hidden,
    blocks,
    horizon,
    head,
    keptChannels,
    activation: shape.activation,
    revin: shape.revin,
    batch,
    loss,
    threads: 2,
    huberDelta,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    device: 0,
    precision: 'fp32',
  };
}

/** A fresh state: step 0, these parameters, moments 0. */
export function stateWith(parameters: Float32Array): Uint8Array {
  const state = new Uint8Array(8 + 12 * parameters.length);
  new Float32Array(state.buffer, 8, parameters.length).set(parameters);
  return state;
}

/** The parameters [P] of a state. */
export function parametersIn(state: Uint8Array): Float32Array {
  return new Float32Array(state.slice(8, 8 + (state.length - 8) / 3).buffer);
}

const unwatched = { signal: new AbortController().signal, onProgress: () => {} };

/** Trains all members over `samples` to a step with a constant learning rate. */
export function trainTo(
  engine: NativeTsmixer,
  samples: Int32Array,
  toStep: number,
  schedule: Float32Array = Float32Array.of(1),
): Promise<NativeTsmixerStats[]> {
  const active = new Uint8Array(engine.members).fill(1);
  return engine.train({ samples, schedule, toStep, active }, unwatched);
}

/** Losses of the members over samples, as evaluation gives them. */
export const evaluateOn = (engine: NativeTsmixer, samples: Int32Array) =>
  engine.evaluate(samples, unwatched);

/** Predictions [members*n*O]. */
export async function predictOn(
  engine: NativeTsmixer,
  samples: Int32Array,
  outputs: number,
): Promise<Float32Array> {
  const out = new Float32Array(engine.members * samples.length * outputs);
  await engine.predict(samples, out, unwatched);
  return out;
}

/** Windows [batch*L*C] and targets [batch*O] of a case, written out. */
export function gathered({ shape, series, ends, targets }: EngineCase): {
  windows: Float32Array;
  targets: Float32Array;
} {
  const { nTokens: L, nChannels: C, horizon: H, keptChannels: kept } = shape;
  const outputs = tsmixerOutputs(shape);
  const windows = new Float32Array(ends.length * L * C);
  const future = new Float32Array(ends.length * outputs);
  for (const [i, end] of ends.entries()) {
    windows.set(series.subarray((end - L + 1) * C, (end + 1) * C), i * L * C);
    if (targets !== null) continue;
    for (let o = 0; o < H * kept; o += 1) {
      future[i * outputs + o] = series[(end + 1 + Math.floor(o / kept)) * C + (o % kept)]!;
    }
  }
  return { windows, targets: targets ?? future };
}

/** What each sample adds to the loss of a step [batch], in float64, as the design pages define it. */
export function referenceLosses(problem: EngineCase, parameters: Float64Array): Float64Array {
  const { shape, ends, teacher, weights, loss, huberDelta: delta, teacherLambda } = problem;
  const { windows, targets } = gathered(problem);
  const n = ends.length;
  const outputs = tsmixerOutputs(shape);
  // The reference reads its parameters into float64 first: float64 ones are as good, and differences need them.
  const values = parameters as unknown as TsmixerWeights['values'];
  const y = tsmixerForward({ shape, values }, windows, n);
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let at = i * outputs; at < (i + 1) * outputs; at += 1) {
      const d = Math.abs(y[at]! - targets[at]!);
      const huber = d <= delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
      const q = teacher?.[at] ?? Number.NaN;
      sum += loss === 'mse' ? d * d : huber;
      if (!Number.isNaN(q)) sum += teacherLambda * (y[at]! - q) ** 2;
    }
    return ((weights?.[i] ?? 1) * sum) / outputs / n;
  });
}

const float32Roundoff = 2 ** -24;
/** TF32 has ten bits behind the point, and operands are rounded to nearest. */
const tf32Roundoff = 2 ** -11;
const lambda = 6;

/**
 * Sum of squares of the units of roundoff that a number meets on its way through the network: K of float32, as
 * `tsmixerErrorBound` counts them, and in TF32 those of both operands of each product, which is then exact in float32.
 * The theorem behind that bound rests on Hoeffding's inequality, which takes factors of unlike size as well.
 */
function squaredRoundoffs(shape: TsmixerShape, precision: Precision): number {
  const float32 = (Math.log1p(tsmixerErrorBound(shape)) / lambda) ** 2;
  const products = 3 * shape.blocks + (shape.head === 'temporal' ? 1 : 0); // a flat head is a sum of float32
  return float32 + (precision === 'tf32' ? 2 * products * tf32Roundoff ** 2 : 0);
}

/** Share of the magnitude of `tsmixerTolerances` that rounding may cost an output. */
export const forwardErrorBound = (shape: TsmixerShape, precision: Precision): number =>
  Math.expm1(lambda * Math.sqrt(squaredRoundoffs(shape, precision)));

/**
 * Share of the largest gradient that rounding may cost: the same over the way there and back, which has the same
 * reductions and products again, the product that a weight's gradient is, and the sum over the batch and what it shares
 * a parameter over. A relu that turns is beyond it: in TF32 use networks where none is near its zero.
 */
export function gradientErrorBound(
  shape: TsmixerShape,
  batch: number,
  precision: Precision = 'fp32',
): number {
  const shared = batch * Math.max(shape.nTokens, shape.nChannels) * float32Roundoff ** 2;
  const own = precision === 'tf32' ? 2 * tf32Roundoff ** 2 : 0;
  return Math.expm1(lambda * Math.sqrt(2 * squaredRoundoffs(shape, precision) + shared + own));
}

/** Optimiser steps whose way is compared. */
export interface ComparedSteps {
  /** of {@link gradientErrorBound} */
  readonly bound: number;
  readonly steps: number;
  readonly rate: number;
  readonly epsilon: number;
  /** [P] root mean square gradient that AdamW remembers after them */
  readonly rms: ArrayLike<number>;
  /** [P] parameters before and after them */
  readonly begun: ArrayLike<number>;
  readonly ended: ArrayLike<number>;
}

/**
 * How far parameters may lie apart after some steps [P]. A step moves a parameter by at most `rate` times
 * m / (sqrt(v) + epsilon). A gradient that is off by e turns that ratio by 2 e / (sqrt(v) + epsilon) at most, and never by
 * more than 2; the parameter itself is rounded each step.
 */
export function stepTolerances(compared: ComparedSteps): Float64Array {
  const { bound, steps, rate, epsilon, rms, begun, ended } = compared;
  const error = bound * Array.from(rms).reduce((m, v) => Math.max(m, v), 0);
  return Float64Array.from(rms, (own, i) => {
    const turn = Math.min(2, (2 * error) / (own + epsilon));
    const size = Math.max(Math.abs(begun[i]!), Math.abs(ended[i]!));
    return steps * rate * turn + steps * float32Roundoff * size;
  });
}
