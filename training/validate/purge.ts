// Purging and embargo: the one place where a training row is dropped because of what it knows.
// Lopez de Prado 2018, Advances in Financial Machine Learning, snippets 7.1 and 7.2, with closed
// intervals and wall-clock time in place of row counts.

import { SluiceError, upperBound } from '../../core/index.ts';
import type { RowRange } from './timeGroups.ts';
import type { Fold, SampleIntervals, TestBlock } from './types.ts';

const role = { train: 0, test: 1, purged: 2, embargoed: 3, outside: 4 } as const;

/** How {@link foldAround} treats the rows that are not tested. */
export interface FoldRule {
  readonly embargoMs: number;
  /** rows that may train; default: all */
  readonly candidates?: RowRange;
  /** blocks that an embargo follows; default: the fold's own test blocks */
  readonly embargoAfter?: readonly TestBlock[];
}

/**
 * The time that a run of rows covers: earliest start to LATEST end.
 * Trap: the last row's end is not the latest one when labels have different lengths.
 */
export function blockOf({ start, end }: SampleIntervals, { lo, hi }: RowRange): TestBlock {
  let to = end[lo]!;
  for (let i = lo + 1; i < hi; i += 1) to = Math.max(to, end[i]!);
  return { from: start[lo]!, to };
}

/**
 * The fold that tests the given runs of rows. A row i is purged if, for some test block [A, B],
 * start_i <= B and end_i >= A; else embargoed if B < start_i <= B + embargoMs.
 * @param tested runs of whole times, ascending, not touching each other
 * @throws SluiceError `out_of_range` if nothing is left to train on
 */
export function foldAround(
  intervals: SampleIntervals,
  tested: readonly RowRange[],
  rule: FoldRule,
): Fold {
  const n = intervals.start.length;
  const roles = new Uint8Array(n).fill(role.outside);
  roles.fill(role.train, rule.candidates?.lo ?? 0, rule.candidates?.hi ?? n);
  for (const { lo, hi } of tested) roles.fill(role.test, lo, hi);
  const testBlocks = tested.map((range) => blockOf(intervals, range));
  for (const block of testBlocks) purge(roles, intervals, block);
  for (const block of rule.embargoAfter ?? testBlocks) {
    embargo(roles, intervals.start, block.to, rule.embargoMs);
  }
  const fold = {
    train: rowsWith(roles, role.train),
    test: rowsWith(roles, role.test),
    purged: rowsWith(roles, role.purged),
    embargoed: rowsWith(roles, role.embargoed),
    testBlocks,
  };
  if (fold.train.length > 0) return fold;
  throw new SluiceError(
    'out_of_range',
    `A fold must keep rows to train on; ${fold.purged.length} were purged and ${fold.embargoed.length} embargoed, none is left. Use fewer folds, shorter labels or a shorter embargo.`,
    { test: fold.test.length, purged: fold.purged.length, embargoed: fold.embargoed.length },
  );
}

function purge(roles: Uint8Array, { start, end }: SampleIntervals, block: TestBlock): void {
  const last = upperBound(start, block.to);
  for (let i = 0; i < last; i += 1) {
    if (roles[i] === role.train && end[i]! >= block.from) roles[i] = role.purged;
  }
}

function embargo(roles: Uint8Array, start: Float64Array, to: number, embargoMs: number): void {
  const last = upperBound(start, to + embargoMs);
  for (let i = upperBound(start, to); i < last; i += 1) {
    if (roles[i] === role.train) roles[i] = role.embargoed;
  }
}

function rowsWith(roles: Uint8Array, wanted: number): Int32Array {
  let count = 0;
  for (const one of roles) if (one === wanted) count += 1;
  const rows = new Int32Array(count);
  for (let i = 0, k = 0; k < count; i += 1) if (roles[i] === wanted) rows[k++] = i;
  return rows;
}
