// The networks that are measured and compared on a GPU, their samples, and how an engine of either library holds them.

import { createRandom } from '../../core/index.ts';
import { type TsmixerShape, tsmixerOutputs } from '../../models/score/index.ts';
import {
  caseParameters,
  caseSamples,
  configOf,
  type EngineCase,
  stateWith,
} from '../../test/training/native/engineCase.ts';
import type {
  NativeTsmixer,
  NativeTsmixerMember,
  Precision,
  SluiceLibrary,
} from '../../training/native/index.ts';
import { initialWeights } from '../../training/tsmixer/index.ts';

/** A network and the batch it is trained with. */
export interface Network {
  readonly name: string;
  readonly batch: number;
  readonly shape: TsmixerShape;
}

type Sizes = readonly [
  batch: number,
  tokens: number,
  channels: number,
  hidden: number,
  blocks: number,
];

function network(name: string, [batch, nTokens, nChannels, hidden, blocks]: Sizes, horizon = 0) {
  const temporal = horizon > 0;
  const shape: TsmixerShape = {
    nTokens,
    nChannels,
    hidden,
    blocks,
    horizon: temporal ? horizon : 1,
    head: temporal ? 'temporal' : 'flat',
    keptChannels: nChannels,
    activation: 'relu',
    revin: false,
  };
  return { name, batch, shape };
}

/** The shapes of the speed table: one that a desk trains, a small one, odd sizes, and a long window with a temporal head. */
export const networks: readonly Network[] = [
  network('desk', [256, 64, 32, 64, 4]),
  network('small', [64, 32, 16, 32, 2]),
  network('odd', [256, 96, 21, 64, 4]),
  network('large', [256, 512, 7, 64, 2], 96),
];

/** Stand-ins that an emulated GPU can train: every program path, no meaning as measurements. */
export const tinyNetworks: readonly Network[] = [
  network('desk', [5, 6, 4, 5, 2]),
  network('small', [3, 4, 3, 2, 1]),
  network('odd', [4, 7, 3, 5, 1]),
  network('large', [4, 9, 2, 3, 1], 3),
];

/** What a measured training does beside the products: dropout, decay and clipping, for us and for PyTorch. */
export const training = { learningRate: 1e-3, weightDecay: 0.01, dropout: 0.1, clip: 1 } as const;

/** Where an engine computes. */
export interface Place {
  readonly library: SluiceLibrary;
  readonly precision: Precision;
  /** of a CPU, 0 = one per core */
  readonly threads: number;
}

/** A problem to compare two engines on: parameters away from special values, a teacher, weights where asked. */
export function comparison({ shape, batch }: Network, changes: Partial<EngineCase> = {}) {
  const rows = shape.nTokens + shape.horizon + 5 * batch;
  const problem: EngineCase = {
    shape,
    batch,
    loss: 'mse',
    huberDelta: 1,
    teacherLambda: 0.5,
    ...caseSamples(shape, rows, batch, true),
    ...changes,
  };
  return problem;
}

/** The samples of a measured training, and the parameters that both sides begin with. */
export interface Task extends EngineCase {
  readonly name: string;
  readonly parameters: Float32Array;
}

/** Makes a measured training's samples from a seed: every window of so many rows of noise. */
export function makeTask({ name, shape, batch }: Network, rows: number): Task {
  const random = createRandom(1);
  const noise = (n: number) => Float32Array.from({ length: n }, () => random.normal());
  const n = rows - shape.nTokens - shape.horizon + 1;
  return {
    name,
    shape,
    batch,
    loss: 'mse',
    huberDelta: 1,
    teacherLambda: 0,
    series: noise(rows * shape.nChannels),
    ends: Int32Array.from({ length: n }, (_, i) => shape.nTokens - 1 + i),
    targets: shape.head === 'flat' ? noise(n * tsmixerOutputs(shape)) : null,
    teacher: null,
    weights: null,
    parameters: initialWeights(shape, 1).values,
  };
}

/** So many members of a measured training, which differ in their seeds. */
export const taskMembers = (count: number): NativeTsmixerMember[] =>
  Array.from({ length: count }, (_, seed) => ({ seed, teacher: 0, ...training }));

/** An engine that holds a problem's samples, its members at these parameters; free it. */
export function openEngine(
  { library, precision, threads }: Place,
  problem: EngineCase,
  members: readonly NativeTsmixerMember[],
  parameters: Float32Array = caseParameters(problem.shape),
): NativeTsmixer {
  const engine = library.createTsmixer({ ...configOf(problem), precision, threads }, members);
  try {
    const { series, ends, targets, teacher, weights, shape } = problem;
    engine.lend({ series, rows: series.length / shape.nChannels, ends, targets, teacher, weights });
    members.forEach((_, k) => {
      engine.writeState(k, stateWith(parameters));
    });
    return engine;
  } catch (error) {
    engine.free();
    throw error;
  }
}
