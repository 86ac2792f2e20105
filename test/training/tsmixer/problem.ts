// Small trainings to test with.

import { createRandom, silent } from '../../../core/index.ts';
import { type TsmixerShape, tsmixerOutputs } from '../../../models/score/index.ts';
import type {
  SequenceSamples,
  TsmixerMember,
  TsmixerRequest,
  TsmixerTraining,
} from '../../../training/tsmixer/index.ts';

export const smallShape: TsmixerShape = {
  nTokens: 6,
  nChannels: 3,
  hidden: 5,
  blocks: 2,
  horizon: 1,
  head: 'flat',
  keptChannels: 3,
  activation: 'relu',
  revin: false,
};

export const plainMember: TsmixerMember = {
  seed: 1,
  learningRate: 0.01,
  weightDecay: 0.01,
  dropout: 0,
  teacherLambda: 0,
  clipNorm: 1,
};

/** Windows of random numbers, random targets, a teacher with gaps, random weights. */
export function randomSamples(shape: TsmixerShape, count: number, seed = 1): SequenceSamples {
  const random = createRandom(seed);
  const outputs = tsmixerOutputs(shape);
  const rows = count + shape.nTokens + shape.horizon;
  const draw = (length: number, next: () => number) => Float32Array.from({ length }, next);
  return {
    series: draw(rows * shape.nChannels, random.normal),
    windowEnds: Int32Array.from({ length: count }, (_, i) => i + shape.nTokens - 1),
    targets: draw(count * outputs, random.normal),
    teacher: draw(count * outputs, () => (random.uniform() < 0.2 ? Number.NaN : random.normal())),
    weights: draw(count, random.uniform),
  };
}

/** from, from + 1, .. to - 1 */
export const indices = (from: number, to: number): Int32Array =>
  Int32Array.from({ length: to - from }, (_, i) => from + i);

/** A request with defaults: 60 samples to train on, 20 to stop by. */
export function smallRequest(
  training: Partial<TsmixerTraining> = {},
  request: Partial<TsmixerRequest> = {},
): TsmixerRequest {
  const shape = training.shape ?? smallShape;
  return {
    training: {
      shape,
      members: [plainMember],
      batch: 16,
      loss: { kind: 'mse' },
      epochs: 4,
      patience: 0,
      schedule: 'cosine',
      warmupFrac: 0.1,
      threads: 1,
      ...training,
    },
    samples: randomSamples(shape, 80),
    train: indices(0, 60),
    stop: indices(60, 80),
    progress: silent,
    signal: new AbortController().signal,
    ...request,
  };
}
