// Step pnl into UTC days: the buckets under `daily_agg_v1`.

import { dayMs, SluiceError, utcDay } from '../../../core/index.ts';
import { checkSteps, type StepSeries } from './steps.ts';

/** Returns of consecutive UTC days. */
export interface DailyReturns {
  /** UTC day of `returns[0]`, counted from 1970-01-01 */
  readonly firstDay: number;
  /** [D] every calendar day from first to last, days without steps = 0; fraction of equity at day start */
  readonly returns: Float64Array;
  /** the first day's steps do not begin at 00:00 UTC */
  readonly firstIsPartial: boolean;
  /** the last day's steps do not reach 24:00 UTC */
  readonly lastIsPartial: boolean;
}

/**
 * Sums step pnl per UTC day over the equity at the day's start.
 *
 * A step belongs to the UTC day of its bar's OPEN: the bar 23:00-24:00 to the day that it ends. Equity
 * at day start is the equity at the last close before it. For a position held fully invested without
 * cost this sum equals the compounded step returns of the day (the pnl telescopes); with a day's
 * equity moving between trades it is still exactly that day's change of equity over its start. A day that
 * starts with no equity left returns 0: nothing is at stake.
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite` | `out_of_range` (no steps)
 */
export function dailyReturns(steps: StepSeries): DailyReturns {
  checkSteps(steps);
  const { closeMs, pnl, equity, timeframeMs } = steps;
  if (closeMs.length === 0) {
    throw new SluiceError('out_of_range', 'Daily returns need at least one step; found none.');
  }
  const firstOpenMs = closeMs[0]! - timeframeMs;
  const firstDay = utcDay(firstOpenMs);
  const lastDay = utcDay(closeMs.at(-1)! - timeframeMs);
  const returns = new Float64Array(lastDay - firstDay + 1);
  let atStart = steps.initialEquity;
  let day = firstDay;
  for (let k = 0; k < closeMs.length; k += 1) {
    const stepDay = utcDay(closeMs[k]! - timeframeMs);
    if (stepDay !== day) {
      day = stepDay;
      atStart = equity[k - 1]!;
    }
    if (atStart > 0) returns[day - firstDay]! += pnl[k]! / atStart;
  }
  return {
    firstDay,
    returns,
    firstIsPartial: firstOpenMs % dayMs !== 0,
    lastIsPartial: closeMs.at(-1)! % dayMs !== 0,
  };
}

/** The days that are there from 00:00 to 24:00 UTC: partial first and last days dropped. */
export function wholeDays(daily: DailyReturns): Pick<DailyReturns, 'firstDay' | 'returns'> {
  const skip = daily.firstIsPartial ? 1 : 0;
  const end = daily.returns.length - (daily.lastIsPartial ? 1 : 0);
  return {
    firstDay: daily.firstDay + skip,
    returns: daily.returns.slice(skip, Math.max(skip, end)),
  };
}
