// Purged k-fold: every row is tested once, by a model that saw neither its label's time nor what
// follows at once. Lopez de Prado 2018, chapter 7.

import { checkEmbargo, checkIntervals } from './intervals.ts';
import { foldAround } from './purge.ts';
import { timeGroups } from './timeGroups.ts';
import type { Fold, SampleIntervals } from './types.ts';

/**
 * k folds in time order; the test rows of fold j are the j-th of k contiguous groups of times.
 * @throws SluiceError `out_of_range` | what {@link checkIntervals} throws
 */
export function purgedKFold(
  intervals: SampleIntervals,
  { folds, embargoMs }: { readonly folds: number; readonly embargoMs: number },
): Fold[] {
  checkIntervals(intervals);
  checkEmbargo(embargoMs);
  return timeGroups(intervals.start, folds).map((group) =>
    foldAround(intervals, [group], { embargoMs }),
  );
}
