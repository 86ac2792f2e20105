// How much is traded.

import { dayMs } from '../../../core/index.ts';
import { requireFinite } from './steps.ts';

/**
 * Traded notional over equity, per day: 2 = the whole book is bought and sold once a day.
 * @param turnover [K] traded notional / equity of each step
 * @throws SluiceError `non_finite`
 */
export function dailyTurnover(turnover: ArrayLike<number>, timeframeMs: number): number {
  requireFinite('turnover', turnover);
  if (turnover.length === 0) return 0;
  let total = 0;
  for (let k = 0; k < turnover.length; k += 1) total += turnover[k]!;
  return total / ((turnover.length * timeframeMs) / dayMs);
}
