// Several runs as one track record.

import { maxDrawdown } from '../../models/backtest/index.ts';
import type { EvidenceRun } from './evidence.ts';

/** One track record over all runs. */
export interface Pooled {
  /** [n] UTC days that at least one run covers, ascending, counted from 1970-01-01 */
  readonly days: Int32Array;
  /** [n] mean over the runs that cover the day; fraction of equity at day start */
  readonly returns: Float64Array;
  /** days between the first and the last that no run covers: unknown, so neither counted nor taken as 0 */
  readonly gapDays: number;
  /** <= 0; the deepest of any run and of the pooled record */
  readonly maxDrawdown: number;
  /** refused orders over all orders, of all runs together; 0 if nothing was ordered */
  readonly rejectRate: number;
  /** the largest of the runs' own counts: each counts all trials that led to it */
  readonly trials: number;
}

/**
 * Pools runs by UTC day, so that a day that ten runs cover is still one day of observation.
 * @param runs in a fixed order, for sums depend on it in their last digits
 */
export function pool(runs: readonly EvidenceRun[]): Pooled {
  const { days, returns } = poolDays(runs);
  const orders = sum(runs, ({ metrics }) => metrics.fills + metrics.rejects);
  const rejects = sum(runs, ({ metrics }) => metrics.rejects);
  return {
    days,
    returns,
    gapDays: days.length === 0 ? 0 : days.at(-1)! - days[0]! + 1 - days.length,
    maxDrawdown: runs.reduce(
      (deepest, { metrics }) => Math.min(deepest, metrics.max_drawdown),
      maxDrawdown(compound(returns), 1),
    ),
    rejectRate: orders === 0 ? 0 : rejects / orders,
    trials: runs.reduce((most, { config }) => Math.max(most, config.trial_count), 1),
  };
}

function poolDays(runs: readonly EvidenceRun[]): Pick<Pooled, 'days' | 'returns'> {
  const byDay = new Map<number, { total: number; runs: number }>();
  for (const { metrics } of runs) {
    metrics.daily.returns.forEach((value, at) => {
      const day = metrics.daily.first_day + at;
      const seen = byDay.get(day) ?? { total: 0, runs: 0 };
      byDay.set(day, { total: seen.total + value, runs: seen.runs + 1 });
    });
  }
  const days = Int32Array.from(byDay.keys()).sort();
  const returns = Float64Array.from(days, (day) => {
    const { total, runs: covering } = byDay.get(day)!;
    return total / covering;
  });
  return { days, returns };
}

/** Equity after each day, from 1. */
function compound(returns: Float64Array): Float64Array {
  let equity = 1;
  return returns.map((value) => {
    equity *= 1 + value;
    return equity;
  });
}

const sum = (runs: readonly EvidenceRun[], term: (run: EvidenceRun) => number): number =>
  runs.reduce((total, run) => total + term(run), 0);
