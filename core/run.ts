// The record of one backtest run: the row of `backtest_runs`, and the only thing that a gate reads.
// Field names are the specification's, verbatim; times are Unix ms UTC.

import { z } from 'zod';
import { dataRegimeSchema, policySchema, runSourceSchema, scoreSourceSchema } from './labels.ts';

/** Metrics of a finished run as they are stored; `daily` lets any verdict be computed again. */
export const runMetricsSchema = z.strictObject({
  metrics_version: z.literal('metrics_v1'),
  sharpe_daily: z.number(),
  sharpe_method: z.literal('daily_agg_v1'),
  sharpe_step_raw: z.number(),
  observation_days: z.int().nonnegative(),
  vol_floor_applied: z.boolean(),
  total_return: z.number(),
  pnl_before_cost: z.number(),
  pnl_after_cost: z.number(),
  cost: z.strictObject({
    fee: z.number(),
    spread: z.number(),
    slippage: z.number(),
    funding: z.number(),
  }),
  max_drawdown: z.number(),
  turnover: z.number(),
  reject_rate: z.number(),
  hit_rate: z.number(),
  exposure: z.number(),
  fills: z.int().nonnegative(),
  rejects: z.int().nonnegative(),
  missing_bars: z.int().nonnegative(),
  /** Returns of whole UTC days, fraction of equity at day start; `first_day` counts from 1970-01-01. */
  daily: z.strictObject({ first_day: z.int(), returns: z.array(z.number()) }),
});

/** The row of `backtest_runs`. */
export const runRecordSchema = z.strictObject({
  run_id: z.string().min(1),
  run_source: runSourceSchema,
  score_source: scoreSourceSchema,
  data_regime: dataRegimeSchema,
  status: z.enum(['running', 'completed', 'failed']),
  /** The whole effective config, at least `policy`, `data_version`, `window` and the trade settings. */
  config: z.looseObject({
    policy: policySchema.or(z.enum(['frozen_baseline', 'zero', 'ridge'])),
    data_version: z.string(),
    window: z.strictObject({ from: z.number(), to: z.number() }),
    trial_count: z.int().positive(),
  }),
  metrics: runMetricsSchema.nullable(),
  lineage_id: z.string().min(1),
  artifact_digest: z.string().nullable(),
  started_at: z.number(),
  finished_at: z.number().nullable(),
});

/** What {@link runMetricsSchema} lets through. */
export type RunMetrics = z.infer<typeof runMetricsSchema>;
/** What {@link runRecordSchema} lets through. */
export type RunRecord = z.infer<typeof runRecordSchema>;
