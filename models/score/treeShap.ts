// Exact SHAP values of a tree ensemble, path-dependent. Source: Lundberg et al. 2018, "Consistent individualized feature
// attribution for tree ensembles", rearranged by leaves (as GPUTreeShap does): a leaf is a game among the k features on
// its path. Feature j multiplies the leaf's value by 1 or 0 when its value is known (it satisfies its conditions or not)
// and by z_j, the share of training rows that satisfy them, when it is not.

import { SluiceError } from '../../core/index.ts';
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
  const share = Float64Array.from(flat, (element) => element.share);
  const ways = Int32Array.from(flat.flatMap((element) => element.ways));
  const longest = Math.max(0, ...paths.map((path) => path.length));
  const weights = Array.from({ length: longest + 1 }, (_, players) => shapleyWeights(players));
  const taken = new Uint8Array(2 * tree.splitFeature.length);
  const holds = new Uint8Array(longest);
  const product = new Float64Array(longest + 1);

  return (row, out) => {
    for (let node = 0; node < tree.splitFeature.length; node += 1) {
      const left = goesLeft(tree, node, row[tree.splitFeature[node]!]!) ? 1 : 0;
      taken[2 * node] = 1 - left;
      taken[2 * node + 1] = left;
    }
    for (let leaf = 0, from = 0, way = 0; leaf < pathEnd.length; leaf += 1) {
      const to = pathEnd[leaf]!;
      // coefficients of the product of (t + z_j) over the features that hold: t^s stands for s of them known
      let known = 0;
      let scale = tree.leafValue[leaf]!;
      product[0] = 1;
      for (let at = from; at < to; at += 1) {
        let satisfied = 1;
        for (; way < wayEnd[at]!; way += 1) satisfied &= taken[ways[way]!]!;
        holds[at - from] = satisfied;
        if (satisfied === 1) {
          multiply(product, known, share[at]!);
          known += 1;
        } else scale *= share[at]!;
      }
      const weight = weights[to - from]!;
      let unsatisfied = 0;
      if (known < to - from) unsatisfied = -scale * dot(weight, product, known);
      for (let at = from; at < to; at += 1) {
        out[feature[at]!]! +=
          holds[at - from] === 1
            ? scale * (1 - share[at]!) * dotWithout(weight, product, known, share[at]!)
            : unsatisfied;
      }
      from = to;
    }
  };
}

/** Multiplies a polynomial of the given degree by (t + z), in place. */
function multiply(product: Float64Array, degree: number, z: number): void {
  product[degree + 1] = product[degree]!;
  for (let s = degree; s > 0; s -= 1) product[s] = product[s - 1]! + z * product[s]!;
  product[0]! *= z;
}

/** Sum over s of weight_s times the coefficient of t^s. */
function dot(weight: Float64Array, product: Float64Array, degree: number): number {
  let sum = 0;
  for (let s = 0; s <= degree; s += 1) sum += weight[s]! * product[s]!;
  return sum;
}

/** The same of the polynomial divided by (t + z), its factor; stable because z <= 1. */
function dotWithout(
  weight: Float64Array,
  product: Float64Array,
  degree: number,
  z: number,
): number {
  let coefficient = product[degree]!;
  let sum = weight[degree - 1]! * coefficient;
  for (let s = degree - 1; s > 0; s -= 1) {
    coefficient = product[s]! - z * coefficient;
    sum += weight[s - 1]! * coefficient;
  }
  return sum;
}

/** [k] Shapley's weight of a coalition of s others among k players: s! (k - s - 1)! / k!. */
function shapleyWeights(players: number): Float64Array {
  const weights = new Float64Array(players);
  if (players > 0) weights[0] = 1 / players;
  for (let s = 1; s < players; s += 1) weights[s] = (weights[s - 1]! * s) / (players - s);
  return weights;
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
