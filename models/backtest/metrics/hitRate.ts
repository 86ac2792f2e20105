// How often the position was on the right side.

import { requireFinite } from './steps.ts';

/**
 * Share of steps that gained, among those in which prices moved the book at all; 0 if none did.
 * @param pnlBeforeCost [K] cost left out: the question is direction, not profit
 * @throws SluiceError `non_finite`
 */
export function hitRate(pnlBeforeCost: ArrayLike<number>): number {
  requireFinite('pnlBeforeCost', pnlBeforeCost);
  let hits = 0;
  let moves = 0;
  for (let k = 0; k < pnlBeforeCost.length; k += 1) {
    if (pnlBeforeCost[k]! > 0) hits += 1;
    if (pnlBeforeCost[k] !== 0) moves += 1;
  }
  return moves === 0 ? 0 : hits / moves;
}
