// The committed config with fewer days, rounds and folds: a whole retrain on it takes a few seconds.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectPath } from '../../../core/index.ts';
import type { NeuralConfig } from '../../../training/retrain/config.ts';
import { type RetrainConfig, readRetrainConfig } from '../../../training/retrain/index.ts';

/** A day on which every run of a test is made, so that equal runs give equal bytes. */
export const asOf = Date.UTC(2026, 0, 31);

/** Two simulated symbols over 200 days, six folds, few rounds; one thread, for two only wait for each other here. */
export function smallConfig(): RetrainConfig {
  const config = readRetrainConfig(projectPath('configs', 'default.json'));
  return {
    ...config,
    name: 'small',
    data: { ...config.data, simulator: { ...config.data.simulator, symbols: 2, days: 200 } },
    folds: {
      purged_k: 2,
      cpcv_groups: 3,
      cpcv_test_groups: 1,
      walk_forward: 1,
      stopping_frac: 0.3,
    },
    gbdt: {
      ...config.gbdt,
      rounds: 20,
      learning_rate: 0.2,
      early_stopping_rounds: 20,
      min_data_in_leaf: 50,
      threads: 1,
    },
    baseline: {
      ...config.baseline,
      rounds: 10,
      learning_rate: 0.2,
      min_data_in_leaf: 50,
      threads: 1,
    },
    ridge_lambdas: [0.1, 10],
    tsmixer: null,
    promotion: { ...config.promotion, bootstrap_draws: 400 },
  };
}

/** The small config with a tiny network: two seeds, with and without a teacher. */
export function neuralConfig(): RetrainConfig & { tsmixer: NeuralConfig } {
  const { tsmixer } = readRetrainConfig(projectPath('configs', 'default.json'));
  return {
    ...smallConfig(),
    name: 'neural',
    tsmixer: {
      ...tsmixer!,
      channels: ['log_return_1', 'taker_imbalance_1', 'close_location_1'],
      n_tokens: 8,
      hidden: 4,
      blocks: 1,
      batch: 512,
      learning_rate: 0.003,
      epochs: 3,
      teacher_lambdas: [0, 1],
      seeds: 2,
      threads: 1,
    },
    ensemble: { alphas: [0.5, 0.75] },
  };
}

/** The same few folds and rounds on the real bars that the committed config names. */
export function realConfig(): RetrainConfig {
  const config = smallConfig();
  return { ...config, name: 'real', gbdt: { ...config.gbdt, rounds: 8, min_data_in_leaf: 500 } };
}

/** Writes a config into a folder. @returns its path */
export function writeConfig(folder: string, config: unknown, name = 'config.json'): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(config, null, 2));
  return path;
}
