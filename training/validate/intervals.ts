// Checks of sample intervals, and folds of a part of the rows.

import { SluiceError } from '../../core/index.ts';
import type { Fold, SampleIntervals } from './types.ts';

/**
 * Refuses intervals that no splitter can work on.
 * @throws SluiceError `length_mismatch` | `non_finite` | `unordered_time` | `out_of_range` (no rows, or an end before its start)
 */
export function checkIntervals({ start, end }: SampleIntervals): void {
  if (start.length !== end.length) {
    throw new SluiceError(
      'length_mismatch',
      `Each sample needs a start and an end; found ${start.length} starts and ${end.length} ends.`,
    );
  }
  if (start.length === 0) throw new SluiceError('out_of_range', 'No samples to split; found 0.');
  for (let i = 0; i < start.length; i += 1) checkRow(start, end, i);
}

function checkRow(start: Float64Array, end: Float64Array, i: number): void {
  const from = start[i]!;
  const to = end[i]!;
  if (!Number.isFinite(from) || !Number.isFinite(to)) {
    throw new SluiceError('non_finite', `Sample ${i} runs from ${from} to ${to}; give finite ms.`);
  }
  if (to < from) {
    throw new SluiceError('out_of_range', `Sample ${i} ends at ${to}, before its start ${from}.`);
  }
  if (i > 0 && from < start[i - 1]!) {
    throw new SluiceError(
      'unordered_time',
      `Samples must be sorted by start; sample ${i} starts at ${from}, before sample ${i - 1} at ${start[i - 1]!}.`,
    );
  }
}

/**
 * Refuses an embargo that is not a length of time.
 * @throws SluiceError `out_of_range`
 */
export function checkEmbargo(embargoMs: number): void {
  if (Number.isFinite(embargoMs) && embargoMs >= 0) return;
  throw new SluiceError('out_of_range', `An embargo is a number of ms >= 0; found ${embargoMs}.`);
}

/** Intervals of the given rows (ascending), for splitting a part: a span, a symbol. */
export function selectIntervals(
  { start, end }: SampleIntervals,
  rows: Int32Array,
): SampleIntervals {
  return {
    start: Float64Array.from(rows, (row) => start[row]!),
    end: Float64Array.from(rows, (row) => end[row]!),
  };
}

/** A fold of {@link selectIntervals} in the row numbers of the whole. */
export function liftFold(fold: Fold, rows: Int32Array): Fold {
  const lift = (part: Int32Array): Int32Array => part.map((i) => rows[i]!);
  return {
    train: lift(fold.train),
    test: lift(fold.test),
    purged: lift(fold.purged),
    embargoed: lift(fold.embargoed),
    testBlocks: fold.testBlocks,
  };
}
