// Interval and p-value of a mean of dependent values, such as daily differences of two arms.
// Politis and Romano 1994, "The Stationary Bootstrap": blocks of geometric length on a circle.

import { type Random, SluiceError } from '../../core/index.ts';
import { automaticBlockLength } from './blockLength.ts';
import { checkFinite } from './sharpeMoments.ts';

/** Goes into reports as it is. */
export interface BootstrapInterval {
  readonly version: 'stationary_bootstrap_1994_v1';
  /** mean of the values */
  readonly estimate: number;
  /** percentile interval, two-sided */
  readonly low: number;
  readonly high: number;
  readonly level: number;
  /** one-sided, of "the true mean is not above zero": share of recentred resamples that reach the estimate */
  readonly p_value: number;
  readonly mean_block_length: number;
  readonly resamples: number;
}

/** How to resample; the block length defaults to the rule of Politis and White. */
export interface BootstrapRule {
  readonly random: Random;
  readonly resamples?: number;
  readonly level?: number;
  readonly meanBlockLength?: number;
}

/**
 * Bootstrap of the mean of `values` (for a comparison: arm minus baseline, day by day).
 * @param values [n] n >= 2
 * @throws SluiceError `non_finite` | `out_of_range`
 */
export function stationaryBootstrap(values: Float64Array, rule: BootstrapRule): BootstrapInterval {
  const { random, resamples = 2000, level = 0.95 } = rule;
  checkFinite(values, 'Values to resample');
  const length = rule.meanBlockLength ?? automaticBlockLength(values);
  checkRule(values.length, resamples, level, length);
  const draw = meanSampler(values, length, random);
  const means = Float64Array.from({ length: resamples }, draw).sort();
  const estimate = values.reduce((sum, value) => sum + value, 0) / values.length;
  const reached = means.reduce((count, mean) => count + (mean - estimate >= estimate ? 1 : 0), 0);
  return {
    version: 'stationary_bootstrap_1994_v1',
    estimate,
    low: sortedQuantile(means, (1 - level) / 2),
    high: sortedQuantile(means, (1 + level) / 2),
    level,
    p_value: (1 + reached) / (1 + resamples),
    mean_block_length: length,
    resamples,
  };
}

function checkRule(n: number, resamples: number, level: number, length: number): void {
  const sound =
    n >= 2 &&
    Number.isInteger(resamples) &&
    resamples >= 100 &&
    level > 0 &&
    level < 1 &&
    length >= 1 &&
    length <= n;
  if (sound) return;
  throw new SluiceError(
    'out_of_range',
    `A bootstrap needs 2 or more values, 100 or more resamples, a level in (0, 1) and a mean block length from 1 to the number of values; found ${n}, ${resamples}, ${level}, ${length}.`,
  );
}

/** Draws resampled means. Prefix sums over the doubled series make a block one subtraction. */
function meanSampler(values: Float64Array, meanBlockLength: number, random: Random): () => number {
  const n = values.length;
  const prefix = new Float64Array(2 * n + 1);
  for (let i = 0; i < 2 * n; i += 1) prefix[i + 1] = prefix[i]! + values[i % n]!;
  const logStay = Math.log1p(-1 / meanBlockLength);
  return () => {
    let sum = 0;
    for (let left = n; left > 0; ) {
      // Geometric length; a mean of 1 gives logStay = -Infinity and blocks of exactly 1.
      const length = 1 + Math.floor(Math.log(1 - random.uniform()) / logStay);
      const take = Math.min(left, length);
      const from = random.integer(n);
      sum += prefix[from + take]! - prefix[from]!;
      left -= take;
    }
    return sum / n;
  };
}

/** Linear interpolation between order statistics (numpy's default). */
function sortedQuantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}
