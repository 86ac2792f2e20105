// `daily_agg_v1`: the only Sharpe that a gate may read.

import { SluiceError } from '../../../core/index.ts';
import { annualisedRatio } from './annualisedRatio.ts';
import { dailyReturns, wholeDays } from './dailyReturns.ts';
import type { StepSeries } from './steps.ts';

/** The gate's Sharpe and what it rests on. */
export interface SharpeDaily {
  readonly method: 'daily_agg_v1';
  readonly value: number;
  /** whole UTC days */
  readonly observationDays: number;
  readonly volFloorApplied: boolean;
}

/** 1 bp a day: below it a book is as good as flat, and a ratio over its volatility means nothing. */
export const defaultVolFloorDaily = 1e-4;

/**
 * Annualised Sharpe ratio of whole UTC days; see {@link dailyReturns} for the day's rule.
 * @returns mean / max(std, floor) x sqrt(365); 0 with fewer than two whole days
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite` | `out_of_range`
 * @source Sharpe 1994; specification track B
 */
export function sharpeDaily(steps: StepSeries, volFloor = defaultVolFloorDaily): SharpeDaily {
  return sharpeOfDays(wholeDays(dailyReturns(steps)).returns, volFloor);
}

/** {@link sharpeDaily} of days that were aggregated before, such as a stored run's `daily.returns`. */
export function sharpeOfDays(
  returns: ArrayLike<number>,
  volFloor = defaultVolFloorDaily,
): SharpeDaily {
  const { value, volFloorApplied } = annualisedRatio(returns, 365, volFloor);
  return { method: 'daily_agg_v1', value, observationDays: returns.length, volFloorApplied };
}

/**
 * The number that a gate compares. Any other Sharpe is refused: by the compiler, and at run time.
 * @throws SluiceError `input_invalid`
 */
export function gateSharpe(sharpe: SharpeDaily): number {
  if (sharpe?.method === 'daily_agg_v1') return sharpe.value;
  const found = (sharpe as { method?: unknown } | undefined)?.method;
  throw new SluiceError(
    'input_invalid',
    `A gate reads the Sharpe of method daily_agg_v1; found ${String(found)}. Step Sharpe ratios are for diagnostics.`,
    { found },
  );
}
