// Mean over standard deviation, the arithmetic under both Sharpe ratios.

import { requireFinite } from './steps.ts';

/** A ratio and whether the volatility floor stood in for the standard deviation. */
export interface Ratio {
  readonly value: number;
  readonly volFloorApplied: boolean;
}

/**
 * mean / max(std, floor) x sqrt(periodsPerYear), std with ddof = 1.
 *
 * A constant series is told by max - min = 0: its computed std is often 1e-18, not 0, and a ratio over
 * that is nonsense. Fewer than two returns carry no volatility and give 0, with the floor flagged.
 * @param returns [n] simple returns
 * @param volFloor per period, > 0
 * @throws SluiceError `non_finite`
 * @source Sharpe 1994, "The Sharpe Ratio"
 */
export function annualisedRatio(
  returns: ArrayLike<number>,
  periodsPerYear: number,
  volFloor: number,
): Ratio {
  requireFinite('returns', returns);
  if (returns.length < 2) return { value: 0, volFloorApplied: true };
  const mean = sum(returns, (x) => x) / returns.length;
  const std = Math.sqrt(sum(returns, (x) => (x - mean) ** 2) / (returns.length - 1));
  const spread = isConstant(returns) ? 0 : std;
  return {
    value: (mean / Math.max(spread, volFloor)) * Math.sqrt(periodsPerYear),
    volFloorApplied: spread < volFloor,
  };
}

function sum(values: ArrayLike<number>, term: (x: number) => number): number {
  let total = 0;
  for (let i = 0; i < values.length; i += 1) total += term(values[i]!);
  return total;
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i += 1) if (values[i] !== values[0]) return false;
  return true;
}
