// Metrics and rules that the tests of promotion judge by.

import type { RunMetrics } from '../../../core/index.ts';
import type { RetrainConfig } from '../../../training/retrain/index.ts';

/** The rules of the committed config with fewer draws. */
export const promotionRules: RetrainConfig['promotion'] = {
  confidence: 0.95,
  bootstrap_draws: 400,
  max_drawdown: 0.25,
  max_reject_rate: 0.05,
  min_dsr: 0.95,
};

/** Metrics of a run with these daily returns; of the rest only what is changed means anything. */
export function metricsOf(
  returns: readonly number[],
  changes: Partial<RunMetrics> = {},
): RunMetrics {
  return {
    metrics_version: 'metrics_v1',
    sharpe_daily: 1,
    sharpe_method: 'daily_agg_v1',
    sharpe_step_raw: 1,
    observation_days: returns.length,
    vol_floor_applied: false,
    total_return: 0.1,
    pnl_before_cost: 1,
    pnl_after_cost: 1,
    cost: { fee: 0, spread: 0, slippage: 0, funding: 0 },
    max_drawdown: -0.01,
    turnover: 0.1,
    reject_rate: 0,
    hit_rate: 0.5,
    exposure: 0.5,
    fills: 1,
    rejects: 0,
    missing_bars: 0,
    daily: { first_day: 18_000, returns: [...returns] },
    ...changes,
  };
}
