// Combinatorial purged cross-validation: every choice of k of N groups is tested once, and the
// out-of-fold answers are joined into C(N-1, k-1) whole histories.
// Lopez de Prado 2018, chapter 12.

import { SluiceError } from '../../core/index.ts';
import { checkEmbargo, checkIntervals } from './intervals.ts';
import { foldAround } from './purge.ts';
import { type RowRange, timeGroups } from './timeGroups.ts';
import type { Fold, SampleIntervals } from './types.ts';

/** More folds than this are a slip of the pen: each one trains a model. */
const maxFolds = 1000;

/** All folds of a CPCV and how to join them. */
export interface CombinatorialSplit {
  /** C(N, k) folds, choices of test groups in lexicographic order */
  readonly folds: readonly Fold[];
  /** [folds][k] the groups that each fold tests, ascending */
  readonly testGroups: readonly (readonly number[])[];
  /** [N] rows of each group */
  readonly groups: readonly RowRange[];
  /** [C(N-1, k-1)][N] the fold that answers for each group on each path; no fold answers twice for a group */
  readonly paths: readonly (readonly number[])[];
}

/**
 * Splits into N groups of times and tests every choice of k of them. Test groups that touch form one
 * block; test groups with training rows between them stay separate blocks.
 * @throws SluiceError `out_of_range` | what {@link checkIntervals} throws
 */
export function combinatorialPurgedCv(
  intervals: SampleIntervals,
  rule: { readonly groups: number; readonly testGroups: number; readonly embargoMs: number },
): CombinatorialSplit {
  checkIntervals(intervals);
  checkEmbargo(rule.embargoMs);
  const groups = timeGroups(intervals.start, rule.groups);
  const testGroups = choices(rule.groups, rule.testGroups);
  const folds = testGroups.map((chosen) =>
    foldAround(intervals, joined(chosen.map((group) => groups[group]!)), rule),
  );
  return { folds, testGroups, groups, paths: pathsOf(testGroups, rule.groups) };
}

/**
 * One path's out-of-fold values for every row of the whole.
 * @param path index into `split.paths`
 * @param values [folds][test rows of the fold], in the order of `fold.test`
 * @returns [n]
 * @throws SluiceError `out_of_range` | `length_mismatch`
 */
export function assemblePath(
  split: CombinatorialSplit,
  path: number,
  values: readonly Float64Array[],
): Float64Array {
  const foldOfGroup = split.paths[path];
  if (foldOfGroup === undefined) {
    throw new SluiceError(
      'out_of_range',
      `There are ${split.paths.length} paths, counted from 0; found path ${path}.`,
    );
  }
  checkAnswers(split, values);
  const whole = new Float64Array(split.groups.at(-1)!.hi);
  foldOfGroup.forEach((fold, group) => {
    const { lo, hi } = split.groups[group]!;
    // The group's rows stand together in fold.test, which is ascending.
    const at = split.folds[fold]!.test.indexOf(lo);
    whole.set(values[fold]!.subarray(at, at + hi - lo), lo);
  });
  return whole;
}

function checkAnswers({ folds }: CombinatorialSplit, values: readonly Float64Array[]): void {
  const expected = folds.map((fold) => fold.test.length);
  const found = values.map((answers) => answers.length);
  if (expected.join() === found.join()) return;
  throw new SluiceError(
    'length_mismatch',
    `Each fold needs one value per test row: ${expected.join(', ')}; found ${found.join(', ')}.`,
    { expected, found },
  );
}

/** Every choice of `size` of 0..count-1, lexicographic. */
function choices(count: number, size: number): number[][] {
  if (!Number.isInteger(size) || size < 1 || size >= count || choose(count, size) > maxFolds) {
    throw new SluiceError(
      'out_of_range',
      `testGroups must be a whole number from 1 to groups - 1 with at most ${maxFolds} combinations; found ${size} of ${count}.`,
      { groups: count, testGroups: size },
    );
  }
  const extend = (chosen: number[], from: number): number[][] => {
    if (chosen.length === size) return [chosen];
    const next = Array.from({ length: count - from }, (_, i) => from + i);
    return next.flatMap((group) => extend([...chosen, group], group + 1));
  };
  return extend([], 0);
}

function choose(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i += 1) product = (product * (n - k + i)) / i;
  return Math.round(product);
}

/** Ascending ranges, those that touch made one. */
function joined(ranges: readonly RowRange[]): RowRange[] {
  const result: RowRange[] = [];
  for (const range of ranges) {
    const previous = result.at(-1);
    if (previous?.hi === range.lo) result[result.length - 1] = { lo: previous.lo, hi: range.hi };
    else result.push(range);
  }
  return result;
}

/** Path p takes each group from the p-th fold that tests it. */
function pathsOf(testGroups: readonly (readonly number[])[], groups: number): number[][] {
  const foldsOfGroup: number[][] = Array.from({ length: groups }, () => []);
  testGroups.forEach((chosen, fold) => {
    for (const group of chosen) foldsOfGroup[group]!.push(fold);
  });
  return foldsOfGroup[0]!.map((_, path) => foldsOfGroup.map((folds) => folds[path]!));
}
