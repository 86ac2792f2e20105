// What a search maximises: profit after cost, less weighted penalties. Every term is kept, so that other weights can be
// tried on finished trials without running them again.

import { z } from 'zod';
import { dayMs, type RunMetrics, SluiceError } from '../../core/index.ts';

const weight = z.number().nonnegative();

/** Weights of the penalties, in yearly return: 0.5 on a drawdown of 20 % costs 10 % a year. */
export const weightsSchema = z.strictObject({
  max_drawdown: weight,
  reject_rate: weight,
  turnover: weight,
});

/** What {@link weightsSchema} lets through. */
export type Weights = z.infer<typeof weightsSchema>;

/** The terms of the objective; names as in the run records where they are the same number. */
export interface Terms {
  /** quote currency */
  readonly pnl_after_cost: number;
  /** the same as a share of the initial equity per year, so that windows of different lengths compare */
  readonly pnl_per_year_frac: number;
  /** positive share of the peak */
  readonly max_drawdown: number;
  readonly reject_rate: number;
  /** traded notional over equity, per day */
  readonly turnover: number;
  readonly sharpe_daily: number;
}

/** A judged run. */
export interface Judged {
  readonly value: number;
  readonly terms: Terms;
}

const daysOfYear = 365;

/**
 * Judges a run: `pnl_per_year_frac` less the weighted penalties.
 * @param span decisions of the run, Unix ms
 * @throws SluiceError `out_of_range` for a run of no length
 */
export function judgeRun(
  metrics: RunMetrics,
  span: { readonly from: number; readonly to: number },
  initialEquity: number,
  weights: Weights,
): Judged {
  const years = (span.to - span.from) / (daysOfYear * dayMs);
  if (!(years > 0)) {
    throw new SluiceError('out_of_range', `A run that is judged must last; found ${years} years.`);
  }
  const terms: Terms = {
    pnl_after_cost: metrics.pnl_after_cost,
    pnl_per_year_frac: metrics.pnl_after_cost / initialEquity / years,
    max_drawdown: Math.abs(metrics.max_drawdown),
    reject_rate: metrics.reject_rate,
    turnover: metrics.turnover,
    sharpe_daily: metrics.sharpe_daily,
  };
  const penalty =
    weights.max_drawdown * terms.max_drawdown +
    weights.reject_rate * terms.reject_rate +
    weights.turnover * terms.turnover;
  return { value: terms.pnl_per_year_frac - penalty, terms };
}
