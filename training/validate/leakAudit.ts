// The leak audit of a fold: counts, from the intervals alone, what a splitter promises. It shares no
// code with the splitters, so that it can find one of them wrong.

import type { Fold, SampleIntervals } from './types.ts';

/** What was found, in the words of the report. `overlap` and `shared` must be 0. */
export interface LeakAudit {
  readonly train: number;
  readonly test: number;
  readonly purged: number;
  readonly embargoed: number;
  /** rows of the whole with no role in this fold */
  readonly unused: number;
  /** rows that are in train and in test */
  readonly shared: number;
  /** pairs of a train and a test row whose closed intervals intersect */
  readonly overlap: number;
  /** shortest time from a train row's end to the next test start; null if no train row ends before one */
  readonly gap_before_ms: number | null;
  /** shortest time from a test row's end to the next train start; null if no train row starts after one */
  readonly gap_after_ms: number | null;
}

/**
 * Audits one fold in O(n log n).
 * @param intervals of the rows that the fold's numbers mean
 */
export function auditFold(intervals: SampleIntervals, fold: Fold): LeakAudit {
  const { start, end } = intervals;
  const trainStarts = sortedAt(start, fold.train);
  const trainEnds = sortedAt(end, fold.train);
  const testStarts = sortedAt(start, fold.test);
  const testEnds = sortedAt(end, fold.test);
  // A pair does not intersect if the test row starts after the train row's end, or the reverse.
  const apart = pairsBefore(trainEnds, testStarts) + pairsBefore(testEnds, trainStarts);
  const used = fold.train.length + fold.test.length + fold.purged.length + fold.embargoed.length;
  return {
    train: fold.train.length,
    test: fold.test.length,
    purged: fold.purged.length,
    embargoed: fold.embargoed.length,
    unused: start.length - used,
    shared: countShared(fold.train, fold.test),
    overlap: fold.train.length * fold.test.length - apart,
    gap_before_ms: shortestGap(trainEnds, testStarts),
    gap_after_ms: shortestGap(testEnds, trainStarts),
  };
}

function sortedAt(values: Float64Array, rows: Int32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row]!).sort();
}

/** Pairs (a, b) with a < b; both sorted. */
function pairsBefore(a: Float64Array, b: Float64Array): number {
  let pairs = 0;
  let below = 0;
  for (const value of b) {
    while (below < a.length && a[below]! < value) below += 1;
    pairs += below;
  }
  return pairs;
}

/** Smallest b - a over a < b; both sorted. */
function shortestGap(a: Float64Array, b: Float64Array): number | null {
  let shortest = Number.POSITIVE_INFINITY;
  let below = 0;
  for (const value of b) {
    while (below < a.length && a[below]! < value) below += 1;
    if (below > 0) shortest = Math.min(shortest, value - a[below - 1]!);
  }
  return Number.isFinite(shortest) ? shortest : null;
}

function countShared(train: Int32Array, test: Int32Array): number {
  const tested = new Set(test);
  return train.reduce((count, row) => count + (tested.has(row) ? 1 : 0), 0);
}
