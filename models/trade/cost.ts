// What a trade and a held position cost, in quote currency.

import { hourMs } from '../../core/index.ts';
import type { CostConfig } from './types.ts';

const bps = 1e-4;
const fundingPeriodMs = 8 * hourMs;

/** Cost of one fill, quote currency. */
export interface TradeCost {
  readonly fee: number;
  readonly spread: number;
  readonly slippage: number;
}

/**
 * Cost of trading a notional against a bar's volume.
 * @param notional traded, quote currency, >= 0
 * @param quoteVolume of the last bar known when the order was sent, quote currency, > 0
 * @source slippage: power law of participation; exponent 0.5 is the square-root impact law (Grinold and Kahn)
 */
export function tradeCost(notional: number, quoteVolume: number, cost: CostConfig): TradeCost {
  const maker = cost.maker_frac;
  const feeBps = maker * cost.fee_bps.maker + (1 - maker) * cost.fee_bps.taker;
  return {
    fee: notional * feeBps * bps,
    spread: notional * cost.half_spread_bps * bps,
    slippage: notional * slippageBps(notional / quoteVolume, cost) * bps,
  };
}

function slippageBps(participation: number, cost: CostConfig): number {
  const { coefficient_bps: coefficient, exponent } = cost.slippage;
  if (coefficient === 0) return 0;
  return coefficient * (exponent === 0.5 ? Math.sqrt(participation) : participation ** exponent);
}

/**
 * Funding paid on a position; negative = received.
 * @param heldNotional signed, quote currency, at the mark
 * @param payments from {@link fundingPayments}
 */
export function fundingCost(heldNotional: number, payments: number, cost: CostConfig): number {
  return heldNotional * payments * cost.funding_bps_8h * bps;
}

/**
 * Funding times (00:00, 08:00, 16:00 UTC) in (openMs, closeMs]: who opens a position at a funding time
 * does not pay it, who holds one until then does.
 */
export function fundingPayments(openMs: number, closeMs: number): number {
  return Math.floor(closeMs / fundingPeriodMs) - Math.floor(openMs / fundingPeriodMs);
}

/** The first funding time after a time, Unix ms UTC: until then nothing falls due. */
export function nextFundingMs(ms: number): number {
  return (Math.floor(ms / fundingPeriodMs) + 1) * fundingPeriodMs;
}
