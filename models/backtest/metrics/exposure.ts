// How much of the equity is at work.

import { requireFinite } from './steps.ts';

/** Mean over steps of the sum of absolute weights; 1 = fully invested all the time. @throws SluiceError `non_finite` */
export function exposure(gross: ArrayLike<number>): number {
  requireFinite('gross', gross);
  if (gross.length === 0) return 0;
  let total = 0;
  for (let k = 0; k < gross.length; k += 1) total += gross[k]!;
  return total / gross.length;
}
