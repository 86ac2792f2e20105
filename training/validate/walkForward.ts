// Walk-forward: each group of times is tested by a model of the past only.

import { SluiceError, upperBound } from '../../core/index.ts';
import { checkEmbargo, checkIntervals } from './intervals.ts';
import { blockOf, foldAround } from './purge.ts';
import { type RowRange, timeGroups } from './timeGroups.ts';
import type { Fold, SampleIntervals } from './types.ts';

/** How the training window moves. */
export type WalkForwardRule = {
  readonly folds: number;
  readonly embargoMs: number;
} & (
  | { readonly mode: 'expanding' }
  /** trains on rows that start less than `trainMs` before the test block, or exactly that */
  | { readonly mode: 'sliding'; readonly trainMs: number }
);

/**
 * Cuts the times into folds + 1 groups; the first one only trains, each other one is tested by what
 * came before it. Rows whose label reaches into the test block are purged. The embargo follows every
 * EARLIER test block, since those rows come to train later; nothing after a test block trains in its
 * own fold.
 * @throws SluiceError `out_of_range` | what {@link checkIntervals} throws
 */
export function walkForward(intervals: SampleIntervals, rule: WalkForwardRule): Fold[] {
  checkIntervals(intervals);
  checkEmbargo(rule.embargoMs);
  if (rule.mode === 'sliding') checkLength(rule.trainMs);
  const tested = timeGroups(intervals.start, rule.folds + 1).slice(1);
  const blocks = tested.map((range) => blockOf(intervals, range));
  return tested.map((range) =>
    foldAround(intervals, [range], {
      embargoMs: rule.embargoMs,
      candidates: trainingWindow(intervals.start, range, rule),
      // Of later blocks nothing stands in the training window, so all may be given.
      embargoAfter: blocks,
    }),
  );
}

function trainingWindow(start: Float64Array, test: RowRange, rule: WalkForwardRule): RowRange {
  if (rule.mode === 'expanding') return { lo: 0, hi: test.lo };
  const from = start[test.lo]! - rule.trainMs;
  let lo = upperBound(start, from);
  while (lo > 0 && start[lo - 1] === from) lo -= 1;
  return { lo, hi: test.lo };
}

function checkLength(trainMs: number): void {
  if (Number.isFinite(trainMs) && trainMs > 0) return;
  throw new SluiceError('out_of_range', `trainMs must be a number of ms > 0; found ${trainMs}.`);
}
