// Trees on trial, through the same folds, fits, audits and backtests as the main job: inside a window of the search span,
// or in forward confirmation.

import { silent } from '../../core/index.ts';
import { scorePanel } from '../../models/backtest/index.ts';
import { crossValidate, type FoldContext, fitFinal, fitFold } from './fit.ts';
import type { Samples } from './samples.ts';
import {
  type Confirmation,
  confirmationOf,
  joinFolds,
  type TrialFits,
  type TrialRun,
} from './trialRun.ts';
import { type WindowSamples, windowFolds } from './trialSamples.ts';

/**
 * Walk-forward inside a window: each fold is fitted on what came before it and tested.
 * @returns after each fold the metrics of all test folds so far, as one run
 */
export async function* walkForwardTrees(
  { config, library, signal }: TrialFits,
  samples: WindowSamples,
  folds: number,
): AsyncGenerator<TrialRun> {
  const context: FoldContext = { library, samples, folds: config.folds, progress: silent, signal };
  const joined = joinFolds(samples.dataset, 'tabular_only', config.trade);
  for (const fold of windowFolds(samples, folds)) {
    const { predictions } = await fitFold(context, fold, config.gbdt);
    yield joined.add(fold, fold.test, predictions);
  }
}

/** Purged k-fold decides the rounds; of the other schemes, which only describe, as little as there can be. */
const fewest = { cpcv_groups: 3, cpcv_test_groups: 1, walk_forward: 1 } as const;

/** The trees of the main job: rounds from cross-validation, one fit on the search span, then validation and forward OOS. */
export async function confirmTrees(
  { config, library, signal }: TrialFits,
  samples: Samples,
): Promise<Confirmation> {
  const { dataset, spans } = samples;
  const folds = { ...config.folds, ...fewest };
  const context = { library, samples, folds, progress: silent, signal };
  const { rounds } = await crossValidate(context, config.gbdt);
  const model = await fitFinal(context, dataset, spans.search.rows, config.gbdt, rounds);
  try {
    const trees = { featureCount: model.featureCount, score: model.predict };
    const [grid] = scorePanel(dataset.featureSpec, [trees], dataset.panel, signal);
    const arm = { policy: 'tabular_only', grid: grid! };
    return confirmationOf(samples, arm, config.trade, { rounds });
  } finally {
    model.close();
  }
}
