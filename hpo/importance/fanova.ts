// Functional analysis of variance of a tree, exactly: how much of its variance over the whole space the marginal of some
// axes has. Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter Importance".
//
// With leaves l of centred value c and fractions f of each axis, the marginal of the axes U is a sum of boxes,
// a(x) = sum over l of c(l) * prod over j not in U of f(j, l), where x lies in l; so its variance is the sum over pairs of
// leaves of both weights times the share of U's space that lies in both.

import type { Extent, Leaf } from './tree.ts';

/** A tree that can be asked for the variance of its marginals. */
export interface TreeVariance {
  /** variance of the tree over the space, each axis uniform */
  readonly total: number;
  /** Variance of the marginal of some axes: their main effects and what they do together. */
  marginal(axes: readonly number[]): number;
}

/** Takes a tree apart. O(leaves ** 2) for each marginal. */
export function treeVariance(leaves: readonly Leaf[]): TreeVariance {
  const axisCount = leaves[0]!.region.length;
  const fractions = Array.from({ length: axisCount }, (_, axis) =>
    Float64Array.from(leaves, ({ region }) => fractionOf(region[axis]!)),
  );
  const volumes = leaves.map((_, l) => fractions.reduce((product, of) => product * of[l]!, 1));
  const mean = leaves.reduce((sum, { value }, l) => sum + volumes[l]! * value, 0);
  const centred = leaves.map(({ value }) => value - mean);
  return {
    total: centred.reduce((sum, value, l) => sum + volumes[l]! * value ** 2, 0),
    marginal(axes) {
      const others = fractions.filter((_, axis) => !axes.includes(axis));
      const weights = centred.map((value, l) =>
        others.reduce((product, of) => product * of[l]!, value),
      );
      return pairSum(
        weights,
        axes.map((axis) => overlapOf(leaves.map(({ region }) => region[axis]!))),
      );
    },
  };
}

/** Sum over pairs of leaves of both weights and all overlaps. */
function pairSum(
  weights: readonly number[],
  overlaps: readonly ((l: number, m: number) => number)[],
): number {
  let sum = 0;
  for (let l = 0; l < weights.length; l += 1) {
    // every pair but that of a leaf with itself comes twice
    let row = 0;
    for (let m = 0; m <= l; m += 1) {
      let shared = m === l ? 1 : 2;
      for (const overlap of overlaps) shared *= overlap(l, m);
      row += weights[m]! * shared;
    }
    sum += weights[l]! * row;
  }
  // rounding may leave a little less than nothing
  return Math.max(0, sum);
}

function fractionOf(extent: Extent): number {
  if (!(extent instanceof Uint8Array)) return extent.high - extent.low;
  return extent.reduce((sum, is) => sum + is, 0) / extent.length;
}

/** Share of an axis that lies in the extents of both of two leaves. */
function overlapOf(extents: readonly Extent[]): (l: number, m: number) => number {
  if (extents[0] instanceof Uint8Array) {
    const masks = extents as readonly Uint8Array[];
    return (l, m) => {
      const [a, b] = [masks[l]!, masks[m]!];
      let both = 0;
      for (let choice = 0; choice < a.length; choice += 1) both += a[choice]! * b[choice]!;
      return both / a.length;
    };
  }
  const intervals = extents as readonly { low: number; high: number }[];
  const lows = Float64Array.from(intervals, ({ low }) => low);
  const highs = Float64Array.from(intervals, ({ high }) => high);
  return (l, m) => Math.max(0, Math.min(highs[l]!, highs[m]!) - Math.max(lows[l]!, lows[m]!));
}
