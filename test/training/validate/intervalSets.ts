// Small interval tables by hand, random ones, and a fold by brute force: all pairs, no cleverness.

import fc from 'fast-check';
import type { Fold, SampleIntervals } from '../../../training/validate/index.ts';

/** Samples from [start, end] pairs. */
export function intervalsOf(pairs: readonly (readonly [number, number])[]): SampleIntervals {
  return {
    start: Float64Array.from(pairs, ([start]) => start),
    end: Float64Array.from(pairs, ([, end]) => end),
  };
}

/** One sample per time 0..count-1, each label `length` long. */
export function evenIntervals(count: number, length: number): SampleIntervals {
  return intervalsOf(Array.from({ length: count }, (_, t) => [t, t + length] as const));
}

/** Up to `maxRows` samples: repeated times, holes, labels of any length, ends in any order. */
export function randomIntervals(maxRows: number): fc.Arbitrary<SampleIntervals> {
  const step = fc.nat(3);
  const length = fc.oneof(
    { arbitrary: fc.nat(4), weight: 3 },
    { arbitrary: fc.nat(20), weight: 1 },
  );
  return fc.array(fc.tuple(step, length), { minLength: 6, maxLength: maxRows }).map((rows) => {
    let at = 1000;
    return intervalsOf(
      rows.map(([delta, label]) => {
        at += delta;
        return [at, at + label] as const;
      }),
    );
  });
}

/** Distinct start times. */
export const countTimes = ({ start }: SampleIntervals): number => new Set(start).size;

/** A fold's arrays as plain ones, for comparison. */
export const plain = (
  fold: Fold,
): { train: number[]; test: number[]; purged: number[]; embargoed: number[] } => ({
  train: [...fold.train],
  test: [...fold.test],
  purged: [...fold.purged],
  embargoed: [...fold.embargoed],
});

/** True if the closed intervals of two rows meet. */
export const meet = ({ start, end }: SampleIntervals, a: number, b: number): boolean =>
  start[a]! <= end[b]! && end[a]! >= start[b]!;

/** Latest end of each run of consecutive rows. */
export function runEnds({ end }: SampleIntervals, rows: readonly number[]): number[] {
  const ends: number[] = [];
  rows.forEach((row, i) => {
    if (i > 0 && rows[i - 1] === row - 1) ends[ends.length - 1] = Math.max(ends.at(-1)!, end[row]!);
    else ends.push(end[row]!);
  });
  return ends;
}

/** What a fold that tests `test` must be, looking at every pair of rows. */
export function foldByAllPairs(
  intervals: SampleIntervals,
  test: readonly number[],
  embargoMs: number,
  candidates: (row: number) => boolean = () => true,
  embargoEnds: readonly number[] = runEnds(intervals, test),
): ReturnType<typeof plain> {
  const fold = {
    train: [] as number[],
    test: [...test],
    purged: [] as number[],
    embargoed: [] as number[],
  };
  intervals.start.forEach((start, row) => {
    if (test.includes(row) || !candidates(row)) return;
    if (test.some((other) => meet(intervals, row, other))) fold.purged.push(row);
    else if (embargoEnds.some((to) => start > to && start <= to + embargoMs))
      fold.embargoed.push(row);
    else fold.train.push(row);
  });
  return fold;
}
