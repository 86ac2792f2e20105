// What scores: rows of features in, one float64 score per row out.

/** Scores tabular rows. */
export interface Scorer {
  readonly featureCount: number;
  /** @param features [n*F] row-major, NaN = missing  @returns [n] */
  score(features: Float32Array, rows: number): Float64Array;
}

/** How a numerical split treats missing values; LightGBM's `missing_type`. */
export const missingType = { none: 0, zero: 1, nan: 2 } as const;

/** One regression tree as flat arrays; node 0 is the root; a child < 0 is leaf `~child`. A tree of one leaf has no nodes. */
export interface Tree {
  /** [m] per inner node */
  readonly splitFeature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** [m] 1 = missing goes left */
  readonly defaultLeft: Uint8Array;
  /** [m] a value of {@link missingType} */
  readonly missing: Uint8Array;
  /** [m] categories that go left, or null for a numerical split (`x <= threshold` goes left) */
  readonly categories: readonly (readonly number[] | null)[];
  /** [m] training rows that reached the node: TreeSHAP's cover */
  readonly nodeCover: Float64Array;
  /** [m+1] per leaf */
  readonly leafValue: Float64Array;
  readonly leafCover: Float64Array;
}

/** A sum of trees. Leaf values lie on a grid so coarse that float64 sums are exact in any order (docs/decisions/003). */
export interface TreeEnsemble {
  readonly featureCount: number;
  readonly trees: readonly Tree[];
}
