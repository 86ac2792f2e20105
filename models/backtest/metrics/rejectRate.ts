// How often an order was refused.

import type { BacktestResult } from '../types.ts';

/** Refused orders, of any reason. */
export function rejectCount(rejects: BacktestResult['rejects']): number {
  return Object.values(rejects).reduce((total, count) => total + count, 0);
}

/** Refused orders over all orders, in [0, 1]; 0 if nothing was ordered. */
export function rejectRate(result: Pick<BacktestResult, 'orders' | 'rejects'>): number {
  return result.orders === 0 ? 0 : rejectCount(result.rejects) / result.orders;
}
