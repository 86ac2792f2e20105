// What the Sharpe statistics rest on: the per-day Sharpe ratio and the shape of its returns.

import { SluiceError } from '../../core/index.ts';

/** Moments of daily returns. The Sharpe ratio is per day, never annualised. */
export interface SharpeMoments {
  /** days */
  readonly n: number;
  /** mean / standard deviation with ddof = 1 */
  readonly sharpe: number;
  /** third standardised moment, ddof = 0 */
  readonly skew: number;
  /** fourth standardised moment, ddof = 0, NOT in excess of 3: a normal has 3 */
  readonly kurtosis: number;
  /** at lag 1, ddof = 0; only the 2025 forms read it */
  readonly autocorrelation: number;
}

/**
 * Moments of a series of daily returns.
 * @param returns [n] simple return per UTC day, fraction
 * @returns null where no Sharpe exists: fewer than two days, or all returns equal (an arm that never traded)
 * @throws SluiceError `non_finite`
 */
export function sharpeMoments(returns: Float64Array): SharpeMoments | null {
  checkFinite(returns, 'Daily returns');
  const n = returns.length;
  // Equal returns are told by their range: rounding leaves their deviation near 1e-18, not at 0.
  if (n < 2 || returns.every((value) => value === returns[0])) return null;
  const mean = returns.reduce((sum, value) => sum + value, 0) / n;
  let [second, third, fourth, lagged] = [0, 0, 0, 0];
  for (let i = 0; i < n; i += 1) {
    const d = returns[i]! - mean;
    second += d * d;
    third += d * d * d;
    fourth += d * d * d * d;
    if (i > 0) lagged += d * (returns[i - 1]! - mean);
  }
  const variance = second / n;
  return {
    n,
    sharpe: mean / Math.sqrt(second / (n - 1)),
    skew: third / n / variance ** 1.5,
    kurtosis: fourth / n / (variance * variance),
    autocorrelation: lagged / second,
  };
}

/**
 * Refuses a series with NaN or an infinity in it.
 * @throws SluiceError `non_finite` naming the first place
 */
export function checkFinite(values: Float64Array, what: string): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new SluiceError('non_finite', `${what} must be finite; found ${values[at]} at ${at}.`, {
    at,
  });
}
