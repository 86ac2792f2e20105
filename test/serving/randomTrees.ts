// Trees drawn from a seed: complete, of one depth, with missing values that matter and leaves on a coarse grid.

import { createRandom, type Random } from '../../core/index.ts';
import { missingType, type Tree, type TreeEnsemble } from '../../models/score/index.ts';

/** An ensemble decided by its seed; leaf values are multiples of 2^-20, so that sums are exact in any order. */
export function randomTrees(
  seed: number,
  size: { readonly featureCount: number; readonly trees: number; readonly depth: number },
): TreeEnsemble {
  const random = createRandom(seed);
  const { featureCount, depth } = size;
  const trees = Array.from({ length: size.trees }, () => randomTree(random, featureCount, depth));
  return { featureCount, trees };
}

/** Rows of standard normal values, some missing. @returns [rows*F] */
export function randomRows(seed: number, rows: number, featureCount: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: rows * featureCount }, () =>
    random.uniform() < 0.05 ? Number.NaN : random.normal(),
  );
}

function randomTree(random: Random, featureCount: number, depth: number): Tree {
  const inner = 2 ** depth - 1;
  const leaves = inner + 1;
  const child = (node: number): number => (node < inner ? node : ~(node - inner));
  const nodes = Array.from({ length: inner }, (_, i) => i);
  const leafCover = Float64Array.from({ length: leaves }, () => 1 + random.integer(50));
  const nodeCover = new Float64Array(inner);
  const coverOf = (at: number): number => (at < 0 ? leafCover[~at]! : nodeCover[at]!);
  for (let i = inner - 1; i >= 0; i -= 1) {
    nodeCover[i] = coverOf(child(2 * i + 1)) + coverOf(child(2 * i + 2));
  }
  return {
    splitFeature: Int32Array.from(nodes, () => random.integer(featureCount)),
    threshold: Float64Array.from(nodes, () => random.normal()),
    left: Int32Array.from(nodes, (i) => child(2 * i + 1)),
    right: Int32Array.from(nodes, (i) => child(2 * i + 2)),
    defaultLeft: Uint8Array.from(nodes, () => random.integer(2)),
    missing: new Uint8Array(inner).fill(missingType.nan),
    categories: nodes.map(() => null),
    nodeCover,
    leafValue: Float64Array.from(
      { length: leaves },
      () => Math.round(random.normal() * 2000) / 2 ** 20,
    ),
    leafCover,
  };
}
