// The slow, obvious evaluator of a tree ensemble in float64: what every other scorer must equal bit for bit.
// Decisions as in LightGBM's include/LightGBM/tree.h (NumericalDecision, CategoricalDecision).

import { SluiceError } from '../../core/index.ts';
import { missingType, type Scorer, type Tree, type TreeEnsemble } from './types.ts';

/** A value this near to zero counts as zero, in every feature; LightGBM's kZeroThreshold. */
export const zeroThreshold = Math.fround(1e-35);

/**
 * Scores rows by walking every tree and adding the leaves in order.
 * @throws SluiceError `length_mismatch` from `score` when the array is not rows x features
 */
export function treeScorer(ensemble: TreeEnsemble): Scorer {
  const { featureCount, trees } = ensemble;
  return {
    featureCount,
    score(features, rows) {
      checkMatrix(features, rows, featureCount);
      return Float64Array.from({ length: rows }, (_, row) => {
        const values = features.subarray(row * featureCount, (row + 1) * featureCount);
        return trees.reduce((sum, tree) => sum + tree.leafValue[leafOf(tree, values)]!, 0);
      });
    },
  };
}

/** @throws SluiceError `length_mismatch` */
export function checkMatrix(features: Float32Array, rows: number, featureCount: number): void {
  if (features.length === rows * featureCount) return;
  throw new SluiceError(
    'length_mismatch',
    `Expected ${rows} rows of ${featureCount} features, ${rows * featureCount} numbers; found ${features.length}.`,
    { rows, featureCount, length: features.length },
  );
}

/** Index of the leaf that a row [F] falls into. */
export function leafOf(tree: Tree, values: Float32Array): number {
  let at = tree.splitFeature.length === 0 ? ~0 : 0;
  while (at >= 0)
    at = goesLeft(tree, at, values[tree.splitFeature[at]!]!) ? tree.left[at]! : tree.right[at]!;
  return ~at;
}

/** Whether a feature value goes left at a node. */
export function goesLeft(tree: Tree, node: number, raw: number): boolean {
  const value = Math.abs(raw) <= zeroThreshold ? 0 : raw;
  const categories = tree.categories[node]!;
  if (categories !== null) return isMember(categories, value);
  const missing = tree.missing[node]!;
  if (missing === missingType.nan && Number.isNaN(value)) return tree.defaultLeft[node] === 1;
  const known = Number.isNaN(value) ? 0 : value;
  if (missing === missingType.zero && known === 0) return tree.defaultLeft[node] === 1;
  return known <= tree.threshold[node]!;
}

/** Truncates like a C cast to int; NaN, negative numbers and numbers beyond int are members of nothing. */
function isMember(categories: readonly number[], value: number): boolean {
  return categories.includes(Math.trunc(value) + 0);
}
