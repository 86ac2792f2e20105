// Which TSMixer is trained on which data set and horizon. Each was chosen by the loss on the validation windows alone.

import type { MixerConfig } from './mixer.ts';

const common: MixerConfig = {
  blocks: 1,
  hidden: 16,
  dropout: 0.9,
  learningRate: 1e-3,
  weightDecay: 0,
  batch: 32,
  epochs: 30,
  patience: 5,
  activation: 'relu',
  loss: { kind: 'mse' },
  schedule: 'constant',
};

const chosen: Readonly<Record<string, Partial<MixerConfig>>> = {};

/** The config of a data set and horizon; the common one where none was chosen. */
export function configOf(name: string, horizon: number): MixerConfig {
  return { ...common, ...chosen[`${name}/${horizon}`] };
}
