// What became of the money.

import { requireFinite } from './steps.ts';

/** Equity at the end over equity at the start, minus 1. @throws SluiceError `non_finite` */
export function totalReturn(equity: ArrayLike<number>, initialEquity: number): number {
  requireFinite('equity', equity);
  return equity.length === 0 ? 0 : equity[equity.length - 1]! / initialEquity - 1;
}
