// The weight of the trees in the blend, chosen on validation by what the blend would have earned there.

import type { Policy } from '../../core/index.ts';
import type { Dataset } from '../../data/dataset/index.ts';
import type { TradeConfig } from '../../models/trade/index.ts';
import type { AlphaCandidate } from '../report/index.ts';
import type { Span } from '../validate/index.ts';
import { meanDailyReturn, runWindow } from './arms.ts';
import { policyScores } from './seam.ts';

/** Name of the blend with this weight of the trees. */
export const blendPolicy = (alpha: number): Policy => `blend_alpha_${alpha}`;

/**
 * Runs each candidate's blend through validation. The largest mean daily return after cost wins, the first of equals.
 * Nothing outside the span is looked at.
 * @param tabular @param nn [S*T] scores on the panel's grid
 */
export function chooseAlpha(
  dataset: Dataset,
  validation: Span,
  { tabular, nn }: { readonly tabular: Float64Array; readonly nn: Float64Array },
  alphas: readonly number[],
  trade: TradeConfig,
): { readonly alpha: number; readonly candidates: readonly AlphaCandidate[] } {
  const candidates = alphas.map((alpha) => {
    const policy = blendPolicy(alpha);
    const arm = { policy, grid: policyScores(policy, tabular, nn) };
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
