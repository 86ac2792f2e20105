// What an order may never break. An order that does is refused whole and counted; nothing is trimmed.

import type { ConstraintConfig } from './types.ts';

/** An order together with what the book would look like after it. */
export interface OrderCheck {
  /** base currency, signed */
  readonly quantity: number;
  /** quote currency, >= 0, at the price known when the order is sent */
  readonly notional: number;
  /** quote volume of the last bar known when the order is sent; 0 or NaN = nobody to trade with */
  readonly quoteVolume: number;
  /** notional of this step's orders including this one, share of equity */
  readonly turnoverAfter: number;
  /** sum of absolute weights with this order filled */
  readonly grossAfter: number;
  /** the order makes the absolute weight of its symbol larger */
  readonly increases: boolean;
}

/** Why an order was refused before it was sent. */
export type OrderReject =
  | 'lot_size'
  | 'min_notional'
  | 'participation'
  | 'max_turnover'
  | 'max_gross';

/** A sum of weights equal to its limit may exceed it by rounding. */
const slack = 1 + 1e-9;

/**
 * Checks an order, in the order of {@link OrderReject}; the first broken rule is the answer. An order
 * that makes its position smaller is never refused for `max_gross`: it is the way out.
 * @returns the broken rule, or null if the order may be sent
 */
export function checkOrder(order: OrderCheck, constraint: ConstraintConfig): OrderReject | null {
  if (!isWholeLots(order.quantity, constraint.lot_size)) return 'lot_size';
  if (order.notional < constraint.min_notional) return 'min_notional';
  // written so that NaN, an unknown volume, is refused
  if (!(order.notional <= constraint.max_participation * order.quoteVolume)) return 'participation';
  if (order.turnoverAfter > constraint.max_turnover_per_step * slack) return 'max_turnover';
  if (order.increases && order.grossAfter > constraint.max_gross * slack) return 'max_gross';
  return null;
}

function isWholeLots(quantity: number, lotSize: number): boolean {
  if (lotSize === 0) return quantity !== 0;
  const lots = Math.abs(quantity) / lotSize;
  const whole = Math.round(lots);
  return whole > 0 && Math.abs(lots - whole) <= 1e-9 * whole;
}

/**
 * The largest whole number of lots that is no more than the quantity asked for: exchanges take no other.
 * @param lotSize base currency; 0 = any quantity
 */
export function wholeLots(quantity: number, lotSize: number): number {
  // 0.3 / 0.1 is a hair below 3
  return lotSize === 0 ? quantity : Math.trunc((quantity / lotSize) * (1 + 1e-12)) * lotSize;
}
