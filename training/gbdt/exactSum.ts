// Leaf values on a grid, so that the sum over trees has no rounding and hence no order (docs/decisions/003).

import type { TreeEnsemble } from '../../models/score/index.ts';

/**
 * The spacing of the grid: a power of two g such that every partial sum of leaves is a multiple of g below 2^53 g, and
 * so a float64 without rounding. 0 if all leaves are zero.
 */
export function leafGrid(ensemble: TreeEnsemble): number {
  let bound = 0;
  for (const { leafValue } of ensemble.trees) {
    bound += leafValue.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  }
  return bound === 0 ? 0 : 2 ** (Math.ceil(Math.log2(bound)) - 52);
}

/** The multiple of `grid` nearest to a value; exact, because grid is a power of two. */
export const snapToGrid = (value: number, grid: number): number =>
  grid === 0 ? value : Math.round(value / grid) * grid;
