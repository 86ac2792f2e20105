// The deepest fall of equity.

import { requireFinite } from './steps.ts';

/**
 * Largest fall from the highest equity so far, as a share of it.
 * @param equity [K] at the steps' closes
 * @returns <= 0, as in "-0.32": a fall of 32 %
 * @throws SluiceError `non_finite`
 */
export function maxDrawdown(equity: ArrayLike<number>, initialEquity: number): number {
  requireFinite('equity', equity);
  let peak = initialEquity;
  let deepest = 0;
  for (let k = 0; k < equity.length; k += 1) {
    peak = Math.max(peak, equity[k]!);
    deepest = Math.min(deepest, equity[k]! / peak - 1);
  }
  return deepest;
}
