// Settings of a trade, as arguments: nothing here or behind it reads the environment.

import { z } from 'zod';

const frac = z.number().min(0);

/** From score to target weight. A weight is a signed share of equity; +1 = fully long. */
export const sizingSchema = z
  .strictObject({
    /** weight per unit of score, before limits */
    gain: z.number().positive(),
    /** scores with a smaller absolute value ask for no position */
    entry_score: frac,
    /** an open position is kept until its score falls below this (hysteresis); <= entry_score */
    exit_score: frac,
    /** share of the way from the current weight to the target that one decision goes, (0, 1]; closes go whole */
    smoothing: z.number().gt(0).max(1),
    /** changes of weight smaller than this are not traded */
    rebalance_band: frac,
    /** largest absolute weight of one symbol */
    max_weight: z.number().positive(),
  })
  .refine(({ entry_score, exit_score }) => exit_score <= entry_score, {
    path: ['exit_score'],
    message: 'must not be larger than entry_score',
  });

/** What a trade costs. Basis points of traded notional unless said otherwise. */
export const costSchema = z.strictObject({
  fee_bps: z.strictObject({ maker: z.number(), taker: z.number() }),
  /** share of fills that pay the maker fee */
  maker_frac: z.number().min(0).max(1),
  half_spread_bps: z.number().min(0),
  /** slippage = coefficient x participation ^ exponent, participation = notional / bar's quote volume */
  slippage: z.strictObject({ coefficient_bps: z.number().min(0), exponent: z.number().positive() }),
  /** paid by longs per 8 h, in bps of position notional; 0 on spot */
  funding_bps_8h: z.number(),
});

/** What an order may never break; a violating order is rejected and counted, not trimmed silently. */
export const constraintSchema = z.strictObject({
  max_gross: z.number().positive(),
  max_turnover_per_step: z.number().positive(),
  min_notional: z.number().min(0),
  /** base-currency lot; 0 = any size */
  lot_size: z.number().min(0),
  max_participation: z.number().positive(),
});

/** Stops of the whole book. */
export const riskSchema = z.strictObject({
  /** flat for good once equity falls this far below its peak, share */
  max_drawdown: z.number().gt(0).max(1),
  /** flat until the next UTC day after losing this share of the day's opening equity */
  daily_loss: z.number().gt(0).max(1),
});

/** Everything between a score and a fill; travels whole. */
export const tradeConfigSchema = z.strictObject({
  sizing: sizingSchema,
  cost: costSchema,
  constraint: constraintSchema,
  risk: riskSchema,
  initial_equity: z.number().positive(),
});

/** What {@link sizingSchema} lets through. */
export type SizingConfig = z.infer<typeof sizingSchema>;
/** What {@link costSchema} lets through. */
export type CostConfig = z.infer<typeof costSchema>;
/** What {@link constraintSchema} lets through. */
export type ConstraintConfig = z.infer<typeof constraintSchema>;
/** What {@link riskSchema} lets through. */
export type RiskConfig = z.infer<typeof riskSchema>;
/** What {@link tradeConfigSchema} lets through. */
export type TradeConfig = z.infer<typeof tradeConfigSchema>;
