// Money made, before and after what it cost.

import { requireFinite } from './steps.ts';

/** Sum of step pnl, quote currency. @throws SluiceError `non_finite` */
export function totalPnl(pnl: ArrayLike<number>): number {
  requireFinite('pnl', pnl);
  let total = 0;
  for (let k = 0; k < pnl.length; k += 1) total += pnl[k]!;
  return total;
}
