// What `retrain --json` prints.

import { z } from 'zod';
import { runMetricsSchema } from '../../core/index.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const probability = z.number().min(0).max(1).nullable();
const windowSchema = z.strictObject({
  metrics: runMetricsSchema,
  statistics: z.strictObject({
    psr_2012_v1: probability,
    psr_2025_v1: probability,
    dsr_2014_v1: probability,
    min_trl_2012_days: z.union([z.number().positive(), z.literal('infinite'), z.null()]),
    trial_count: z.int().positive(),
    note: z.string().nullable(),
  }),
  rank_ic: z.number().min(-1).max(1).nullable(),
  net_return_per_day: z
    .strictObject({
      version: z.literal('stationary_bootstrap_1994_v1'),
      estimate: z.number(),
      low: z.number(),
      high: z.number(),
      level: z.literal(0.95),
      p_value: z.number().gt(0).max(1),
      mean_block_length: z.number().min(1),
      resamples: z.int().positive(),
    })
    .refine(({ estimate, low, high }) => low <= estimate && estimate <= high),
});

/** The document of `retrain --json` on a simulated market with seed 7, made as of 2026-01-31. */
export const retrainSchema = z.strictObject({
  run_id: z.string().min(1),
  run_source: z.literal('smoke'),
  data_version: digest,
  feature_version: digest,
  seed: z.literal(7),
  as_of: z.literal('2026-01-31T00:00:00.000Z'),
  arms: z.array(
    z.strictObject({
      policy: z.union([
        z.enum(['tabular_only', 'nn_only', 'frozen_baseline', 'ridge', 'zero']),
        z.templateLiteral(['blend_alpha_', z.number()]),
      ]),
      validation: windowSchema,
      forward_oos: windowSchema,
      walk_forward: windowSchema,
      promoted: z.boolean().nullable(),
      reasons: z.array(z.string()),
    }),
  ),
  lambda: z.number().nullable(),
  alpha: z.number().nullable(),
  engine: z
    .strictObject({
      name: z.literal('native'),
      version: z.string().regex(/^\d+-[a-z0-9]+$/),
      device: z.literal('cpu'),
      device_name: z.string().min(1),
      precision: z.literal('fp32'),
      driver: z.null(),
    })
    .nullable(),
  promoted_policy: z.string().nullable(),
  gate: z.looseObject({
    status: z.literal('insufficient_observation'),
    data_regime: z.literal('prod_live'),
    reasons: z.array(z.string()).min(1),
    run_ids: z.array(z.string()).length(0),
  }),
  artifact: z.strictObject({ path: z.string(), digest }),
  report: z.string(),
  seconds: z.number().positive(),
});
