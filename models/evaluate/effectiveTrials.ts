// How many independent trials a set of correlated ones is worth.

import { SluiceError } from '../../core/index.ts';
import { checkFinite } from './sharpeMoments.ts';

/** Goes into reports as it is. */
export interface EffectiveTrials {
  readonly version: 'mean_correlation_v1';
  readonly effective: number;
  readonly trials: number;
  /** before it is cut to [0, 1] */
  readonly mean_correlation: number;
}

/**
 * r + (1 - r) M with r the mean pairwise correlation of the trials' returns, cut to [0, 1]. A trial
 * without variation correlates with nothing. Time and memory O(M T): the correlations are never formed.
 * @param returns [M*T] trial-major daily returns
 * @throws SluiceError `length_mismatch` | `non_finite` | `out_of_range`
 * @source Lopez de Prado 2018, "The False Strategy Theorem"
 */
export function effectiveTrials(returns: Float64Array, trials: number): EffectiveTrials {
  const days = daysOf(returns, trials);
  checkFinite(returns, 'Returns of trials');
  const total = new Float64Array(days);
  let moving = 0;
  for (let trial = 0; trial < trials; trial += 1) {
    const unit = unitVector(returns.subarray(trial * days, (trial + 1) * days));
    if (unit === null) continue;
    moving += 1;
    for (let t = 0; t < days; t += 1) total[t]! += unit[t]!;
  }
  // |sum of unit vectors|^2 = M + 2 x sum of the correlations of all pairs.
  const squared = total.reduce((sum, value) => sum + value * value, 0);
  const mean = trials === 1 ? 1 : (squared - moving) / (trials * (trials - 1));
  const r = Math.min(1, Math.max(0, mean));
  return {
    version: 'mean_correlation_v1',
    effective: r + (1 - r) * trials,
    trials,
    mean_correlation: mean,
  };
}

function daysOf(returns: Float64Array, trials: number): number {
  if (!Number.isInteger(trials) || trials < 1) {
    throw new SluiceError('out_of_range', `At least one trial is needed; found ${trials}.`);
  }
  const days = returns.length / trials;
  if (Number.isInteger(days) && days >= 2) return days;
  throw new SluiceError(
    'length_mismatch',
    `Each of ${trials} trials needs the same two or more days; found ${returns.length} returns.`,
  );
}

/** Centred and scaled to length 1; null if all values are equal. */
function unitVector(values: Float64Array): Float64Array | null {
  if (values.every((value) => value === values[0])) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = values.map((value) => value - mean);
  const norm = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0));
  return centred.map((value) => value / norm);
}
