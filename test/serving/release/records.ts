// Runs for the gate's tests: returns are given, what follows from them is computed as a backtest does.

import { canonicalJson, createRandom, type RunRecord, utcDay } from '../../../core/index.ts';
import { maxDrawdown, sharpeOfDays } from '../../../models/backtest/index.ts';

export interface RunShape {
  readonly runId: string;
  readonly returns: readonly number[];
  readonly firstDay?: number;
  readonly fills?: number;
  readonly rejects?: number;
  readonly trialCount?: number;
  readonly artifact?: string | null;
  readonly labels?: Partial<RunRecord>;
}

export function makeRun(shape: RunShape): RunRecord {
  const { returns, firstDay = utcDay(1_700_000_000_000), fills = 100, rejects = 0 } = shape;
  const sharpe = sharpeOfDays(returns);
  let equity = 1;
  const curve = returns.map((value) => {
    equity *= 1 + value;
    return equity;
  });
  return {
    run_id: shape.runId,
    run_source: 'prod',
    score_source: 'model',
    data_regime: 'prod_live',
    status: 'completed',
    config: {
      policy: 'tabular_only',
      data_version: `data-${shape.runId}`,
      window: { from: 0, to: 1 },
      trial_count: shape.trialCount ?? 1,
    },
    metrics: {
      metrics_version: 'metrics_v1',
      sharpe_daily: sharpe.value,
      sharpe_method: 'daily_agg_v1',
      sharpe_step_raw: 12.5,
      observation_days: returns.length,
      vol_floor_applied: sharpe.volFloorApplied,
      total_return: equity - 1,
      pnl_before_cost: 0,
      pnl_after_cost: 0,
      cost: { fee: 0, spread: 0, slippage: 0, funding: 0 },
      max_drawdown: maxDrawdown(curve, 1),
      turnover: 0,
      reject_rate: fills + rejects === 0 ? 0 : rejects / (fills + rejects),
      hit_rate: 0.5,
      exposure: 1,
      fills,
      rejects,
      missing_bars: 0,
      daily: { first_day: firstDay, returns: [...returns] },
    },
    lineage_id: 'lineage-1',
    artifact_digest: shape.artifact === undefined ? 'artifact-1' : shape.artifact,
    started_at: 1_700_000_000_000,
    finished_at: 1_700_000_000_001,
    ...shape.labels,
  };
}

/**
 * Daily returns whose sample mean and standard deviation (ddof = 1) are exactly the given ones: normal
 * draws, standardised.
 */
export function returnsOf(days: number, mean: number, std: number, seed = 1): number[] {
  const random = createRandom(seed);
  const draws = Array.from({ length: days }, () => random.normal());
  const average = draws.reduce((sum, x) => sum + x, 0) / days;
  const deviation = Math.sqrt(draws.reduce((sum, x) => sum + (x - average) ** 2, 0) / (days - 1));
  return draws.map((x) => mean + (std * (x - average)) / deviation);
}

/** Several runs, one after the other in time. */
export function successive(count: number, returns: readonly number[]): RunRecord[] {
  const length = Math.ceil(returns.length / count);
  return Array.from({ length: count }, (_, at) =>
    makeRun({
      runId: `run-${at}`,
      returns: returns.slice(at * length, (at + 1) * length),
      firstDay: 19_000 + at * length,
    }),
  );
}

/** A verdict apart from the counts of what was left out. */
export function withoutSetAside(verdict: {
  readonly counts: { readonly recorded_runs: number; readonly set_aside: unknown };
}): string {
  const { recorded_runs: _, set_aside: __, ...counts } = verdict.counts;
  return canonicalJson({ ...verdict, counts });
}
