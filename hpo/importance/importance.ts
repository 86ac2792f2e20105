// How much each parameter matters to a study's objective: shares of variance by fANOVA over a random forest.

import { createRandom, type Random } from '../../core/index.ts';
import type { FrozenTrial } from '../study/index.ts';
import { treeVariance } from './fanova.ts';
import { columnsOf } from './space.ts';
import { growTree, type Sample } from './tree.ts';

/** What {@link parameterImportance} looks at; what is left out has a default. */
export interface ImportanceOptions {
  /** which of several objectives; 0 */
  readonly objective?: number;
  /** adds what pairs of parameters do together beyond their own effects; false */
  readonly pairs?: boolean;
  /** in the forest; 64 */
  readonly trees?: number;
  /** of the forest; 0 */
  readonly seed?: number;
}

/** Part of the objective's variance. */
export interface ImportanceShare {
  /** one name, or two of a pair */
  readonly parameters: readonly string[];
  /** of the forest's variance over the whole space, in [0, 1]; a mean over trees. All of any order sum to 1 */
  readonly share: number;
}

/** Parameters by what they matter. */
export interface Importance {
  /** largest first */
  readonly shares: readonly ImportanceShare[];
  /** complete trials with a finite value that it rests on */
  readonly trialCount: number;
}

/**
 * Shares of the variance of an objective over the space that the trials were drawn from. What several parameters do
 * together is in no single share: the sum of shares falls short of 1 by it. A forest knows only where trials are: with few
 * of them, or all near the best, shares say little.
 * @param trials those that are complete with a finite value count, and the parameters that all of these have
 * @returns null if nothing can be told: fewer than two such trials, no shared parameter, or all values equal
 * @source Hutter, Hoos and Leyton-Brown 2014; as Optuna's FanovaImportanceEvaluator, but for three things: logarithmic
 * parameters weigh as they are sampled, ends of a grid weigh as its middle does, and a choice is one axis, not one for each
 */
export function parameterImportance(
  trials: readonly FrozenTrial[],
  options: ImportanceOptions = {},
): Importance | null {
  const { objective = 0, pairs = false, trees = 64, seed = 0 } = options;
  const used = trials.filter(
    ({ state, values }) => state === 'COMPLETE' && Number.isFinite(values?.[objective]),
  );
  if (used.length < 2) return null;
  const columns = columnsOf(used);
  const sample: Sample = {
    axes: columns.map(({ axis }) => axis),
    columns: columns.map(({ values }) => values),
    targets: unitRange(used.map(({ values }) => values![objective]!)),
  };
  const subsets = columns.flatMap((_, i) => [
    [i],
    ...(pairs
      ? columns
          .keys()
          .drop(i + 1)
          .map((j) => [i, j])
      : []),
  ]);
  const shares = forestShares(sample, subsets, trees, createRandom(seed));
  if (shares === null) return null;
  const named = subsets.map((subset, k) => ({
    parameters: subset.map((i) => columns[i]!.name),
    share: shares[k]!,
  }));
  return { shares: named.sort((a, b) => b.share - a.share), trialCount: used.length };
}

/** Values from 0 to 1: shares of variance do not change, and squares keep their digits far from 0. */
function unitRange(values: readonly number[]): Float64Array {
  const low = values.reduce((least, value) => Math.min(least, value));
  const range = values.reduce((most, value) => Math.max(most, value)) - low;
  return Float64Array.from(values, (value) => (range > 0 ? (value - low) / range : 0));
}

/**
 * Mean over the trees of a forest of the shares that effects of single axes and of pairs have.
 * @param subsets one axis or two each
 * @returns one share for each subset; null if no tree has any variance
 */
export function forestShares(
  sample: Sample,
  subsets: readonly (readonly number[])[],
  trees: number,
  random: Random,
): Float64Array | null {
  const sums = new Float64Array(subsets.length);
  let counted = 0;
  if (sample.axes.length === 0) return null;
  for (let tree = 0; tree < trees; tree += 1) {
    const rows = Int32Array.from(sample.targets, () => random.integer(sample.targets.length));
    const variance = treeVariance(growTree(sample, rows, random));
    if (!(variance.total > 0)) continue;
    counted += 1;
    const own = sample.axes.map((_, axis) => variance.marginal([axis]));
    subsets.forEach((subset, k) => {
      const effect =
        subset.length === 1
          ? own[subset[0]!]!
          : variance.marginal(subset) - subset.reduce((sum, axis) => sum + own[axis]!, 0);
      sums[k]! += Math.max(0, effect) / variance.total;
    });
  }
  return counted === 0 ? null : sums.map((sum) => sum / counted);
}
