// The GPU beside the CPU engine on the same parameters and samples: outputs, gradients, twenty steps and dropout's masks
// in fp32; and what TF32 products cost beside fp32 ones. Every bound is derived here, none was fitted.

import { tsmixerOutputs, tsmixerTolerances } from '../../models/score/index.ts';
import { tsmixerErrorBound } from '../../models/score/tsmixerTolerance.ts';
import {
  allSamples,
  caseParameters,
  type EngineCase,
  gathered,
  gradientErrorBound,
  member,
  parametersIn,
  predictOn,
  trainTo,
} from '../../test/training/native/engineCase.ts';
import type { NativeTsmixer, NativeTsmixerMember } from '../../training/native/index.ts';
import { comparison, type Network, openEngine, type Place } from './cases.ts';
import { judge, type Look, type Protocol } from './protocol.ts';

const steps = 20;
const learningRate = 1e-3;
const roundoff = 2 ** -24;
/** TF32 keeps eleven bits of a factor. */
const tf32Roundoff = 2 ** -11;
/** of the probabilistic error bound; tsmixerTolerance.ts */
const lambda = 6;

/** Two places whose numbers are compared: the first is looked at, the second is believed. */
interface Pair {
  readonly looked: Place;
  readonly believed: Place;
}

/** fp32 on the GPU beside the CPU engine. */
export async function lookAtFp32(
  protocol: Protocol,
  pair: Pair,
  networks: readonly Network[],
): Promise<void> {
  const look = (name: string, at: () => Look | Promise<Look>) =>
    protocol.look('parity fp32 and CPU', name, at);
  for (const network of networks) {
    const problem = comparison(network);
    const smooth = smoothed(problem);
    // both lie within one bound of the truth, so within two of each other
    const bound = 2 * gradientErrorBound(problem.shape, problem.batch);
    await look(`${network.name}: outputs`, () => compareOutputs(pair, problem, 2));
    await look(`${network.name}: gradient, gelu`, () => compareGradient(pair, smooth, bound));
    await look(`${network.name}: gradient, relu`, () => compareTurned(pair, problem, bound));
    await look(`${network.name}: ${steps} steps, gelu`, () => compareSteps(pair, smooth));
    const masked = smoothed(comparison({ ...network, batch: 2 }));
    await look(`${network.name}: dropout's masks`, () =>
      compareGradient(pair, masked, 2 * gradientErrorBound(masked.shape, 2), 0.5),
    );
  }
}

/** TF32 beside fp32, both on the GPU. */
export async function lookAtTf32(
  protocol: Protocol,
  pair: Pair,
  networks: readonly Network[],
): Promise<void> {
  const look = (name: string, at: () => Look | Promise<Look>) =>
    protocol.look('parity tf32 and fp32', name, at);
  for (const network of networks) {
    const problem = comparison(network);
    const smooth = smoothed(problem);
    const { shape } = problem;
    const scale = tf32Bound(shape, 1) / tsmixerErrorBound(shape);
    const bound = tf32Bound(shape, 2);
    await look(`${network.name}: outputs`, () => compareOutputs(pair, problem, 2 + scale));
    await look(`${network.name}: gradient, gelu`, () => compareGradient(pair, smooth, bound));
    await look(`${network.name}: gradient, relu`, () => compareTurned(pair, problem, bound));
    await look(`${network.name}: losses of ${steps} steps, gelu`, () =>
      compareLosses(pair, smooth, bound),
    );
    await look(`${network.name}: products are rounded to TF32`, () => {
      const [found, expected] = [
        gradientOf(pair.looked, smooth),
        gradientOf(pair.believed, smooth),
      ];
      const differ = found.some((g, i) => g !== expected[i]);
      return judge(
        differ,
        differ ? 'gradients are not those of fp32' : 'gradients are those of fp32',
      );
    });
  }
}

/** A relu's derivative jumps where rounding may turn it; bounds of single numbers are for smooth networks. */
const smoothed = (problem: EngineCase): EngineCase => ({
  ...problem,
  shape: { ...problem.shape, activation: 'gelu' },
});

/**
 * Share that rounding factors to TF32 may cost: a number meets three products a block and the head's, two factors each
 * are rounded, and the way back has the products again; roundings are taken as independent, as in tsmixerTolerance.ts.
 */
function tf32Bound(shape: Network['shape'], ways: 1 | 2): number {
  const roundings = ways * 2 * (3 * shape.blocks + 1);
  return Math.expm1(lambda * Math.sqrt(roundings) * tf32Roundoff);
}

async function compareOutputs({ looked, believed }: Pair, problem: EngineCase, share: number) {
  const { shape } = problem;
  const some = problem.ends.slice(0, 16);
  const outputs = tsmixerOutputs(shape);
  const of = (place: Place) =>
    using(place, problem, [member()], (engine) =>
      predictOn(engine, allSamples(some.length), outputs),
    );
  const [found, expected] = [await of(looked), await of(believed)];
  const windows = gathered({ ...problem, ends: some, targets: problem.targets }).windows;
  const weights = { shape, values: caseParameters(shape) };
  const tolerances = tsmixerTolerances(weights, windows, some.length);
  const worst = largest(found, (y, i) => (y - expected[i]!) / (share * tolerances[i]!));
  return judge(worst <= 1, `${percent(worst)} of what rounding explains`);
}

/** Largest distance of a gradient's numbers, beside the largest of them. */
function compareGradient({ looked, believed }: Pair, problem: EngineCase, bound: number, drop = 0) {
  const [found, expected] = [
    gradientOf(looked, problem, drop),
    gradientOf(believed, problem, drop),
  ];
  const distance =
    largest(found, (g, i) => g - expected[i]!) / Math.max(largest(expected), Number.MIN_VALUE);
  return judge(
    distance <= bound,
    `distance ${distance.toExponential(1)}, at most ${bound.toExponential(1)}`,
  );
}

/**
 * The same with relus: of all units a share like the bound lies so near to 0 that rounding turns them, and what those add
 * to the gradient is as a random walk, so the root of that share of its length.
 */
function compareTurned({ looked, believed }: Pair, problem: EngineCase, bound: number) {
  const [found, expected] = [gradientOf(looked, problem), gradientOf(believed, problem)];
  const difference = lengthOf(found.map((g, i) => g - expected[i]!));
  const distance = difference / Math.max(lengthOf(expected), Number.MIN_VALUE);
  const most = Math.sqrt(bound);
  return judge(
    distance <= most,
    `length of the difference ${distance.toExponential(1)}, at most ${most.toExponential(1)}`,
  );
}

/**
 * A step moves a parameter by at most the rate times m / (sqrt(v) + epsilon); a gradient that is off by e turns that ratio
 * by 2 e / (sqrt(v) + epsilon) at most, never by more than 2, and the parameter itself is rounded each step.
 */
async function compareSteps({ looked, believed }: Pair, problem: EngineCase): Promise<Look> {
  const samples = allSamples(problem.batch);
  const members = [member({ teacher: problem.teacherLambda, learningRate })];
  const of = (place: Place) =>
    using(place, problem, members, async (engine) => {
      await trainTo(engine, samples, steps);
      return engine.readState(0);
    });
  const [found, state] = [parametersIn(await of(looked)), await of(believed)];
  const expected = parametersIn(state);
  const count = expected.length;
  const second = new Float32Array(state.slice(8 + 8 * count).buffer);
  const rms = second.map((v) => Math.sqrt(v / (1 - 0.999 ** steps)));
  const error = 2 * gradientErrorBound(problem.shape, problem.batch) * largest(rms);
  const worst = largest(found, (p, i) => {
    const turn = Math.min(2, (2 * error) / (rms[i]! + 1e-8));
    const rounding = 2 * steps * roundoff * Math.max(1, Math.abs(expected[i]!));
    return (p - expected[i]!) / (steps * learningRate * turn + rounding);
  });
  return judge(worst <= 1, `${percent(worst)} of what rounding explains`);
}

async function compareLosses({ looked, believed }: Pair, problem: EngineCase, bound: number) {
  const samples = allSamples(problem.batch);
  const members = [member({ teacher: problem.teacherLambda, learningRate })];
  const of = (place: Place) =>
    using(place, problem, members, async (engine) => {
      const losses: number[] = [];
      for (let step = 1; step <= steps; step += 1) {
        losses.push((await trainTo(engine, samples, step))[0]!.loss);
      }
      return losses;
    });
  const [found, expected] = [await of(looked), await of(believed)];
  // an error of an output is one of twice its share in a square
  const worst = largest(found, (loss, i) => (loss - expected[i]!) / (2 * bound * expected[i]!));
  return judge(worst <= 1, `${percent(worst)} of what TF32 explains`);
}

function gradientOf(place: Place, problem: EngineCase, dropout = 0): Float32Array {
  const engine = openEngine(place, problem, [member({ teacher: problem.teacherLambda, dropout })]);
  try {
    const gradient = new Float32Array(caseParameters(problem.shape).length);
    engine.gradient(0, allSamples(problem.batch), 5, gradient);
    return gradient;
  } finally {
    engine.free();
  }
}

async function using<T>(
  place: Place,
  problem: EngineCase,
  members: readonly NativeTsmixerMember[],
  work: (engine: NativeTsmixer) => Promise<T>,
): Promise<T> {
  const engine = openEngine(place, problem, members);
  try {
    return await work(engine);
  } finally {
    engine.free();
  }
}

function largest(
  values: Float32Array | readonly number[],
  of: (v: number, i: number) => number = (v) => v,
): number {
  let most = 0;
  values.forEach((v, i) => {
    const size = Math.abs(of(v, i));
    if (!(size <= most)) most = Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
  });
  return most;
}

const lengthOf = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
const percent = (share: number) => `${(100 * share).toPrecision(2)} %`;
