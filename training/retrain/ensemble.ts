// The weight of the trees in the blend, chosen on validation by what the blend would have earned there.

import { blendPolicy, type Policy } from '../../core/index.ts';
import type { Dataset } from '../../data/dataset/index.ts';
import { ownScores, policyScores } from '../../models/backtest/index.ts';
import type { TradeConfig } from '../../models/trade/index.ts';
import type { AlphaCandidate } from '../report/index.ts';
import type { Span } from '../validate/index.ts';
import { type Arm, meanDailyReturn, runWindow } from './arms.ts';

/** Grids of scores of trees and network, [S*T] each. */
export interface PartScores {
  readonly tabular: Float64Array;
  readonly nn: Float64Array;
}

/** A policy with a network as an arm: where the network lacks, the trees answer, as they would in serving. */
export const policyArm = (policy: Policy, { tabular, nn }: PartScores): Arm => ({
  policy,
  grid: policyScores(policy, tabular, nn),
  own: ownScores(policy, tabular, nn),
});

/**
 * Runs each candidate's blend through validation. The largest mean daily return after cost wins, the first of equals.
 * Nothing outside the span is looked at.
 */
export function chooseAlpha(
  dataset: Dataset,
  validation: Span,
  parts: PartScores,
  alphas: readonly number[],
  trade: TradeConfig,
): { readonly alpha: number; readonly candidates: readonly AlphaCandidate[] } {
  const candidates = alphas.map((alpha) => {
    const arm = policyArm(blendPolicy(alpha), parts);
    const { metrics } = runWindow(dataset, arm, validation, trade);
    return {
      alpha,
      net_return_per_day: meanDailyReturn(metrics),
      sharpe_daily: metrics.sharpe_daily,
    };
  });
  const best = candidates.reduce((a, b) => (b.net_return_per_day > a.net_return_per_day ? b : a));
  return { alpha: best.alpha, candidates };
}
