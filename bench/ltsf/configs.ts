// Which TSMixer is trained on which data set and horizon. Each was chosen by the loss on the validation windows alone.

import type { MixerConfig } from './mixer.ts';

const common: MixerConfig = {
  blocks: 1,
  hidden: 16,
  dropout: 0.9,
  learningRate: 3e-3,
  weightDecay: 0.3,
  batch: 32,
  epochs: 8,
  patience: 0,
  activation: 'relu',
  loss: { kind: 'mse' },
  schedule: 'cosine',
};

const chosen: Readonly<Record<string, Partial<MixerConfig>>> = {
  'ETTh1/96': { weightDecay: 1 },
  'ETTh1/192': { weightDecay: 0.1 },
  'ETTh1/336': { weightDecay: 0.1 },
  'ETTh1/720': { hidden: 4, weightDecay: 1 },
};

/** The config of a data set and horizon; the common one where none was chosen. */
export function configOf(name: string, horizon: number): MixerConfig {
  return { ...common, ...chosen[`${name}/${horizon}`] };
}
