// The native TSMixer engine against PyTorch: milliseconds of a training step on the same shapes, and the arithmetic rate
// beside that of PyTorch's matrix product, the machine's ceiling. Peers run in processes of their own, and all take turns
// round by round, so that a busy minute falls on each of them. Last, an epoch over ten million rows within 3 GiB.
// usage: PEER_PYTHON=python node bench/tsmixer.ts [--rounds 7] [--steps 40] [--rows 10000000] [--threads 2]

import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { createRandom, projectPath, silent } from '../core/index.ts';
import type { TsmixerShape } from '../models/score/index.ts';
import { findSluice, type NativeTsmixer } from '../training/native/index.ts';
import { fitTsmixer, initialWeights, nativeEngine } from '../training/tsmixer/index.ts';
import { report, summarise } from './harness.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    steps: { type: 'string', default: '40' },
    rows: { type: 'string', default: '10000000' },
    threads: { type: 'string', default: '2' },
    /** only the epoch over many rows, in this process: what the whole benchmark starts as a child */
    memory: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const steps = Number(values.steps);
const threads = Number(values.threads);
const members = 8;
const memoryLimitGib = 3;

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly hidden: number;
  readonly blocks: number;
  /** at least so many times PyTorch's steps per second */
  readonly wantedSpeed: number;
  /** at least this share of PyTorch's matrix product, where one is asked for */
  readonly wantedShare: number | null;
  /** whether eight members are trained at once too */
  readonly together: boolean;
}

const cases: readonly Case[] = [
  {
    name: 'desk',
    batch: 256,
    length: 64,
    channels: 32,
    hidden: 64,
    blocks: 4,
    wantedSpeed: 2.5,
    wantedShare: 0.7,
    together: true,
  },
  {
    name: 'small',
    batch: 64,
    length: 32,
    channels: 16,
    hidden: 32,
    blocks: 2,
    wantedSpeed: 4,
    wantedShare: null,
    together: true,
  },
  {
    name: 'odd',
    batch: 256,
    length: 96,
    channels: 21,
    hidden: 64,
    blocks: 4,
    wantedSpeed: 2,
    wantedShare: null,
    together: false,
  },
];
const wantedTogether = 0.95;

async function main(): Promise<void> {
  const python = process.env.PEER_PYTHON;
  if (python === undefined) {
    process.stderr.write('SKIPPED bench tsmixer: set PEER_PYTHON to a Python with torch.\n');
    return;
  }
  const measured = cases.map((shape) => ({ shape, ours: open(shape, 1), times: newTimes() }));
  const groups = measured
    .filter(({ shape }) => shape.together)
    .map((one) => ({ ...one, together: open(one.shape, members) }));
  const sgemm: number[] = [];
  let torch: string | null = null;
  for (let round = 0; round < rounds; round += 1) {
    for (const { shape, ours, times } of measured) {
      times.ours.push(await stepMs(ours));
      const answer = torchStep(python, shape);
      torch = String(answer.version);
      times.torch.push(Number(answer.step_ms));
    }
    sgemm.push(Number(peer(python, 'sgemm_torch.py', String(threads)).sgemm_gflops));
    for (const { ours, together, times } of groups) {
      times.alone.push(await stepMs(ours));
      times.together.push(await stepMs(together));
    }
  }
  const ceiling = summarise(sgemm).median_s;
  const results = measured.map(({ shape, times }) => resultOf(shape, times, ceiling));
  const memory = JSON.parse(
    execFileSync(
      process.execPath,
      [projectPath('bench', 'tsmixer.ts'), '--memory', ...rowsOption()],
      {
        encoding: 'utf8',
      },
    ),
  ) as { peak_gib: number; loss: number };
  const reached = results.every((result) => result.reached) && memory.peak_gib < memoryLimitGib;
  report('tsmixer', {
    task: { threads, rounds, steps_per_round_at_least: steps, members },
    engine: { cpu_path: findSluice().kernels },
    peer: { torch, mode: 'eager' },
    sgemm_gflops: ceiling,
    cases: results,
    memory: { ...memory, wanted_below_gib: memoryLimitGib },
    reached,
  });
  if (!reached) process.exitCode = 1;
}

const rowsOption = (): string[] => ['--rows', values.rows, '--threads', values.threads];

/** Milliseconds, one a round. */
const newTimes = () => ({
  ours: [] as number[],
  torch: [] as number[],
  alone: [] as number[],
  together: [] as number[],
});

const median = (numbers: readonly number[]): number => summarise(numbers).median_s;
const round3 = (x: number): number => Math.round(x * 1000) / 1000;

function resultOf(shape: Case, times: ReturnType<typeof newTimes>, ceiling: number) {
  const { name, wantedSpeed, wantedShare, together, ...sizes } = shape;
  const ms = { ours: median(times.ours), torch: median(times.torch) };
  const speed = ms.torch / ms.ours;
  const gflops = flopOf(shape) / ms.ours / 1e6;
  const share = gflops / ceiling;
  const throughput = together ? (members * median(times.alone)) / median(times.together) : null;
  return {
    name,
    ...sizes,
    step_ms: { ours: summary(times.ours), torch: summary(times.torch) },
    gflops: round3(gflops),
    times_torch: round3(speed),
    wanted_times_torch: wantedSpeed,
    share_of_sgemm: round3(share),
    wanted_share_of_sgemm: wantedShare,
    ...(throughput === null
      ? {}
      : {
          members_step_ms: summary(times.together),
          members_throughput: round3(throughput),
          wanted_members_throughput: wantedTogether,
        }),
    reached:
      speed >= wantedSpeed &&
      (wantedShare === null || share >= wantedShare) &&
      (throughput === null || throughput >= wantedTogether),
  };
}

function summary(milliseconds: readonly number[]) {
  const { median_s, min_s, max_s, n } = summarise(milliseconds);
  return { median: round3(median_s), min: round3(min_s), max: round3(max_s), n };
}

/** Matrix products of a step, there and back; the same count as the peer's. */
const flopOf = ({ batch, length: L, channels: C, hidden: F, blocks }: Case): number =>
  batch * blocks * (2 * L * L * C + 4 * L * C * F) * 3;

function peer(
  python: string,
  script: string,
  ...args: readonly string[]
): Readonly<Record<string, number | string>> {
  const path = projectPath('bench', 'peers', script);
  return JSON.parse(execFileSync(python, [path, ...args], { encoding: 'utf8' }));
}

function torchStep(python: string, { batch, length, channels, hidden, blocks }: Case) {
  const options = { batch, length, channels, hidden, blocks, threads, steps };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return peer(python, 'tsmixer_torch.py', ...args);
}

const shapeOf = ({ length, channels, hidden, blocks }: Case): TsmixerShape => ({
  nTokens: length,
  nChannels: channels,
  hidden,
  blocks,
  horizon: 1,
  head: 'flat',
  keptChannels: channels,
  activation: 'relu',
  revin: false,
});

interface Open {
  readonly engine: NativeTsmixer;
  readonly samples: Int32Array;
  /** steps made */
  at: number;
}

/** An engine with a series of noise, of which each step gathers random windows. */
function open(of: Case, count: number): Open {
  const shape = shapeOf(of);
  const rows = 20_000;
  const random = createRandom(1);
  const noise = (n: number) => Float32Array.from({ length: n }, () => random.normal());
  const n = rows - of.length + 1;
  const engine = findSluice().createTsmixer(
    {
      tokens: of.length,
      channels: of.channels,
      hidden: of.hidden,
      blocks: of.blocks,
      horizon: 1,
      head: 'flat',
      keptChannels: of.channels,
      activation: 'relu',
      revin: false,
      batch: of.batch,
      loss: 'mse',
      threads,
      huberDelta: 1,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      device: 0,
      precision: 'fp32',
    },
    Array.from({ length: count }, (_, seed) => ({
      seed,
      learningRate: 1e-3,
      weightDecay: 0.01,
      dropout: 0,
      teacher: 0,
      clip: 0,
    })),
  );
  engine.lend({
    series: noise(rows * of.channels),
    rows,
    ends: Int32Array.from({ length: n }, (_, i) => of.length - 1 + i),
    targets: noise(n),
    teacher: null,
    weights: null,
  });
  for (let k = 0; k < count; k += 1) engine.writeState(k, initialState(shape, k));
  return { engine, samples: Int32Array.from({ length: n }, (_, i) => i), at: 0 };
}

function initialState(shape: TsmixerShape, seed: number): Uint8Array {
  const { values: parameters } = initialWeights(shape, seed);
  const state = new Uint8Array(8 + 12 * parameters.length);
  new Float32Array(state.buffer, 8, parameters.length).set(parameters);
  return state;
}

/** A call has work for so long that starting it costs nothing beside. */
const leastMs = 300;

/** Milliseconds of one step of all members, after some to warm up; what they learn must be numbers. */
async function stepMs(on: Open): Promise<number> {
  const warmBegin = process.hrtime.bigint();
  await advance(on, 10);
  const warmMs = Number(process.hrtime.bigint() - warmBegin) / 1e6 / 10;
  const count = Math.max(steps, Math.ceil(leastMs / warmMs));
  const begin = process.hrtime.bigint();
  const losses = await advance(on, count);
  const ms = Number(process.hrtime.bigint() - begin) / 1e6 / count;
  if (!losses.every((loss) => loss > 0 && loss < 100)) {
    throw new Error(`Losses ${losses.join(', ')}: the times mean nothing.`);
  }
  return ms;
}

async function advance(on: Open, count: number): Promise<number[]> {
  on.at += count;
  const active = new Uint8Array(on.engine.members).fill(1);
  const order = { samples: on.samples, schedule: Float32Array.of(1), toStep: on.at, active };
  const watch = { signal: new AbortController().signal, onProgress: () => {} };
  return (await on.engine.train(order, watch)).map(({ loss }) => loss);
}

/** One epoch of random batches over many rows, through all that a training does; prints the peak of this process. */
async function memoryEpoch(rows: number): Promise<void> {
  const shape = shapeOf({ ...cases[1]!, channels: 32, length: 16, blocks: 1 });
  const n = rows - shape.nTokens + 1;
  const series = new Float32Array(rows * shape.nChannels);
  const targets = new Float32Array(n);
  for (let i = 0; i < series.length; i += 1) series[i] = ((i * 2654435761) % 65_521) / 32_760 - 1;
  for (let i = 0; i < n; i += 1) targets[i] = series[(i + 7) * shape.nChannels]!;
  const begin = process.hrtime.bigint();
  const member = { seed: 0, learningRate: 1e-3, weightDecay: 0, dropout: 0, teacherLambda: 0 };
  const [fit] = await fitTsmixer(nativeEngine(), {
    training: {
      shape,
      members: [{ ...member, clipNorm: 0 }],
      batch: 1024,
      loss: { kind: 'mse' },
      epochs: 1,
      patience: 0,
      schedule: 'constant',
      warmupFrac: 0,
      threads,
    },
    samples: {
      series,
      windowEnds: Int32Array.from({ length: n }, (_, i) => shape.nTokens - 1 + i),
      targets,
      teacher: null,
      weights: null,
    },
    train: Int32Array.from({ length: n }, (_, i) => i),
    stop: new Int32Array(0),
    progress: silent,
    signal: new AbortController().signal,
  });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const peak = process.resourceUsage().maxRSS / 2 ** 20;
  const loss = fit!.history[0]!.train;
  if (!(loss > 0 && loss < 10)) throw new Error(`The epoch ended with loss ${loss}.`);
  const result = {
    rows,
    channels: shape.nChannels,
    epoch_s: round3(seconds),
    peak_gib: round3(peak),
  };
  process.stdout.write(`${JSON.stringify({ ...result, loss: round3(loss) })}\n`);
}

if (values.memory) await memoryEpoch(Number(values.rows));
else await main();
