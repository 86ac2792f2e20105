// Exact SHAP values of a tree ensemble, path-dependent: Lundberg et al. 2018, "Consistent individualized feature
// attribution for tree ensembles", rearranged by leaves. A leaf is a game among the k features on its path: feature j
// multiplies the leaf's value by o_j (1 if the row satisfies j's conditions, else 0) when it is known and by z_j (the
// share of training rows that satisfy them) when it is not. Shapley's weight of s known ones among the k - 1 others is
// the integral of t^s (1-t)^(k-1-s), so with f_j(t) = o_j t + z_j (1-t)
//   phi_i = value (o_i - z_i) integral over [0, 1] of the product of f_j over j other than i,
// a polynomial of degree k - 1, which k/2 Gauss points integrate exactly: sums and products of numbers in [0, 1] only.

import { SluiceError } from '../../core/index.ts';
import { gaussLegendre } from './gaussLegendre.ts';
import { checkMatrix, goesLeft } from './treeScorer.ts';
import type { Tree, TreeEnsemble } from './types.ts';

/** Why a row got its score: score = base + sum of contributions, up to rounding. */
export interface Contributions {
  /** Mean score of the training rows, as the trees' covers tell it. */
  readonly base: number;
  /** [F] per feature */
  readonly contributions: Float64Array;
}

/** One feature on a leaf's path: every split on it along the way, as one. */
interface PathFeature {
  readonly feature: number;
  /** share of training rows that satisfy its conditions, in [0, 1] */
  readonly share: number;
  /** the way out of a node that its condition asks for: node * 2 + (1 = left) */
  readonly ways: readonly number[];
}

/**
 * Prepares the SHAP values of an ensemble; the result explains one row [F] at a time.
 * @throws SluiceError `input_invalid` for a tree that does not tell how many training rows reached its nodes;
 *   `length_mismatch` when a row has not F values
 */
export function treeContributions(ensemble: TreeEnsemble): (row: Float32Array) => Contributions {
  const { featureCount, trees } = ensemble;
  const games = trees.map(treeGame);
  const base = trees.reduce((sum, tree) => sum + expectedValue(tree), 0);
  return (row) => {
    checkMatrix(row, 1, featureCount);
    const contributions = new Float64Array(featureCount);
    for (const game of games) game(row, contributions);
    return { base, contributions };
  };
}

/** Mean leaf value over the training rows. */
function expectedValue(tree: Tree): number {
  if (tree.splitFeature.length === 0) return tree.leafValue[0]!;
  const total = tree.nodeCover[0]!;
  return tree.leafValue.reduce(
    (sum, value, leaf) => sum + (tree.leafCover[leaf]! / total) * value,
    0,
  );
}

/** The paths of one tree in flat arrays, and the function that adds their contributions for a row. */
function treeGame(tree: Tree): (row: Float32Array, out: Float64Array) => void {
  const paths = leafPaths(tree);
  const flat = paths.flat();
  const pathEnd = endsOf(paths);
  const wayEnd = endsOf(flat.map((element) => element.ways));
  const feature = Int32Array.from(flat, (element) => element.feature);
  const ways = Int32Array.from(flat.flatMap((element) => element.ways));
  // a share of 0 would give 0 / 0; so small a one gives contributions as small
  const share = Float64Array.from(flat, (element) => Math.max(element.share, 1e-300));
  const longest = paths.reduce((most, path) => Math.max(most, path.length), 0);
  const quadratures = Array.from({ length: longest + 1 }, (_, k) =>
    gaussLegendre(Math.ceil(k / 2)),
  );
  const products = new Float64Array(longest);
  const taken = new Uint8Array(2 * tree.splitFeature.length);
  const holds = new Uint8Array(flat.length);

  return (row, out) => {
    markTaken(tree, row, taken);
    for (let at = 0, way = 0; at < holds.length; at += 1) {
      let satisfied = 1;
      for (; way < wayEnd[at]!; way += 1) satisfied &= taken[ways[way]!]!;
      holds[at] = satisfied;
    }
    for (let leaf = 0, from = 0; leaf < pathEnd.length; leaf += 1) {
      const to = pathEnd[leaf]!;
      const { points, weights } = quadratures[to - from]!;
      const value = tree.leafValue[leaf]!;
      const count = points.length;
      for (let q = 0; q < count; q += 1) {
        const t = points[q]!;
        let product = value * weights[q]!;
        for (let at = from; at < to; at += 1) product *= holds[at]! * t + share[at]! * (1 - t);
        products[q] = product;
      }
      for (let at = from; at < to; at += 1) {
        const o = holds[at]!;
        const z = share[at]!;
        let sum = 0;
        for (let q = 0; q < count; q += 1) {
          const t = points[q]!;
          sum += products[q]! / (o * t + z * (1 - t));
        }
        out[feature[at]!]! += (o - z) * sum;
      }
      from = to;
    }
  };
}

/** For each way out of a node whether the row takes it. */
function markTaken(tree: Tree, row: Float32Array, taken: Uint8Array): void {
  for (let node = 0; node < tree.splitFeature.length; node += 1) {
    const left = goesLeft(tree, node, row[tree.splitFeature[node]!]!) ? 1 : 0;
    taken[2 * node] = 1 - left;
    taken[2 * node + 1] = left;
  }
}

/** Per leaf the features on its path. */
function leafPaths(tree: Tree): readonly (readonly PathFeature[])[] {
  const paths: (readonly PathFeature[])[] = Array.from(tree.leafValue, () => []);
  const open: { readonly at: number; readonly path: readonly PathFeature[] }[] = [];
  if (tree.splitFeature.length > 0) open.push({ at: 0, path: [] });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { at, path } = next;
    if (at < 0) paths[~at] = path;
    else {
      open.push({ at: tree.left[at]!, path: extend(tree, path, at, 1) });
      open.push({ at: tree.right[at]!, path: extend(tree, path, at, 0) });
    }
  }
  return paths;
}

function extend(
  tree: Tree,
  path: readonly PathFeature[],
  node: number,
  left: 0 | 1,
): PathFeature[] {
  const feature = tree.splitFeature[node]!;
  const child = left === 1 ? tree.left[node]! : tree.right[node]!;
  const cover = child < 0 ? tree.leafCover[~child]! : tree.nodeCover[child]!;
  const share = cover / tree.nodeCover[node]!;
  if (!(share >= 0 && share <= 1))
    throw new SluiceError(
      'input_invalid',
      `Contributions need the training rows of each node, a child's at most its parent's; found ${cover} below ${tree.nodeCover[node]}.`,
    );
  const same = path.find((element) => element.feature === feature);
  const others = path.filter((element) => element !== same);
  return [
    ...others,
    {
      feature,
      share: share * (same?.share ?? 1),
      ways: [...(same?.ways ?? []), 2 * node + left],
    },
  ];
}

/** Running end of each list when they lie one after the other. */
function endsOf(lists: readonly (readonly unknown[])[]): Int32Array {
  let end = 0;
  return Int32Array.from(lists, (list) => {
    end += list.length;
    return end;
  });
}
