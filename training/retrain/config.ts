// The config of a retrain: one strict schema, defaults resolved once, hashed whole into every record.

import { z } from 'zod';
import { digestOf, parseStrict, readJson, runSourceSchema } from '../../core/index.ts';
import { tradeConfigSchema } from '../../models/trade/index.ts';
import { gbdtParamsSchema } from '../gbdt/index.ts';

const share = z.number().gt(0).lt(1);

const simulatorSchema = z.strictObject({
  seed: z.int().nonnegative(),
  symbols: z.int().min(1).max(64),
  days: z.int().min(60),
  alpha: z.number().min(0),
});

/** Which bars: files below the data folder, or the simulator where no folder is given. */
const dataSchema = z.strictObject({
  files: z.array(z.string()).min(1),
  symbols: z.array(z.string()).min(1),
  timeframe: z.string(),
  venue: z.string(),
  simulator: simulatorSchema,
});

/** Rules of promotion; all must hold on validation and on forward OOS. */
const promotionSchema = z.strictObject({
  /** one-sided confidence that the daily net return beats the frozen baseline's, and zero */
  confidence: z.number().gt(0.5).lt(1),
  bootstrap_draws: z.int().min(200).max(100_000),
  max_drawdown: share,
  max_reject_rate: share,
  /** smallest deflated Sharpe ratio over both windows together */
  min_dsr: share,
});

const gateSchema = z.strictObject({
  min_completed_runs: z.int().positive(),
  min_observation_days: z.int().positive(),
});

/** The whole effective config of a retrain. */
export const retrainConfigSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'lower-case letters, digits and _'),
  seed: z.int().nonnegative(),
  run_source: runSourceSchema,
  data: dataSchema,
  label: z.strictObject({
    horizon_bars: z.int().positive(),
    volatility_bars: z.int().positive().nullable(),
  }),
  windows: z.strictObject({
    validation_frac: share,
    forward_oos_frac: share,
    embargo_bars: z.int().nonnegative(),
  }),
  folds: z.strictObject({
    purged_k: z.int().min(2),
    cpcv_groups: z.int().min(3),
    cpcv_test_groups: z.int().min(1),
    walk_forward: z.int().min(1),
    /** share of a fold's training span, its latest part, that decides early stopping */
    stopping_frac: share,
  }),
  gbdt: gbdtParamsSchema,
  baseline: gbdtParamsSchema,
  ridge_lambdas: z.array(z.number().positive()).min(1),
  trade: tradeConfigSchema,
  promotion: promotionSchema,
  gate: gateSchema,
  /** days after its creation on which the artifact is refused */
  valid_days: z.int().positive(),
});

/** What {@link retrainConfigSchema} lets through. */
export type RetrainConfig = z.infer<typeof retrainConfigSchema>;

/** Reads a config file. @throws SluiceError `input_missing` | `input_invalid` | `config_invalid` */
export function readRetrainConfig(path: string): RetrainConfig {
  return parseStrict(retrainConfigSchema, readJson(path), `config ${path}`);
}

/** Digest of what decides the result; thread counts do not, so they are left out. */
export function configDigest(config: RetrainConfig): string {
  const { threads: _g, ...gbdt } = config.gbdt;
  const { threads: _b, ...baseline } = config.baseline;
  return digestOf({ ...config, gbdt, baseline });
}
