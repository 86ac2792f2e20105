// The config of a retrain: one strict schema, defaults resolved once, hashed whole into every record.

import { z } from 'zod';
import {
  digestOf,
  nearest,
  parseStrict,
  parseTimeframe,
  readJson,
  runSourceSchema,
  SluiceError,
} from '../../core/index.ts';
import { barFeaturesV1 } from '../../data/feature/index.ts';
import { tradeConfigSchema } from '../../models/trade/index.ts';
import { gbdtParamsSchema } from '../gbdt/index.ts';
import { tsmixerParamsSchema } from '../tsmixer/index.ts';

const share = z.number().gt(0).lt(1);

const simulatorSchema = z.strictObject({
  seed: z.int().nonnegative(),
  symbols: z.int().min(1).max(64),
  days: z.int().min(60),
  alpha: z.number().min(0),
  /** which kind of return is planted: one that rows of features show, or one that only the order of bars shows */
  structure: z.enum(['tabular', 'sequence']).default('tabular'),
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

/** The network: its shape and training, what it reads, and the candidates that validation chooses from. */
const neuralSchema = z.strictObject({
  ...tsmixerParamsSchema.shape,
  /** entries of the feature spec that a token holds, in this order */
  channels: z.array(z.string()).min(1),
  /** where a normalised channel is cut, in standard deviations */
  clip: z.number().positive(),
  /** lambda: weights of the distance to the trees' predictions; 0 = no teacher */
  teacher_lambdas: z.array(z.number().nonnegative()).min(1).refine(distinct, 'must be distinct'),
  /** how many seeds judge each lambda, from `seed` on; the first one makes the network */
  seeds: z.int().min(1).max(32),
});

const ensembleSchema = z.strictObject({
  /** candidates for the weight of the trees in the blend */
  alphas: z.array(share).min(1).refine(distinct, 'must be distinct'),
});

function distinct(values: readonly number[]): boolean {
  return new Set(values).size === values.length;
}

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
  /** null = no neural stage: the artifact then holds trees alone */
  tsmixer: neuralSchema.nullable(),
  ensemble: ensembleSchema,
  trade: tradeConfigSchema,
  promotion: promotionSchema,
  gate: gateSchema,
  /** days after its creation on which the artifact is refused */
  valid_days: z.int().positive(),
});

/** What {@link retrainConfigSchema} lets through. */
export type RetrainConfig = z.infer<typeof retrainConfigSchema>;
/** Settings of the neural stage. */
export type NeuralConfig = NonNullable<RetrainConfig['tsmixer']>;

/** Reads a config file. @throws SluiceError `input_missing` | `input_invalid` | `config_invalid` */
export function readRetrainConfig(path: string): RetrainConfig {
  const config = parseStrict(retrainConfigSchema, readJson(path), `config ${path}`);
  requireFeatures(config, path);
  return config;
}

/** Channels are features; said before any bar is read. Features across symbols are declared from two symbols on. */
function requireFeatures({ tsmixer, data }: RetrainConfig, path: string): void {
  const timeframeMs = parseTimeframe(data.timeframe);
  const known = barFeaturesV1({ symbolCount: 2, timeframeMs }).entries.map(({ name }) => name);
  const violations = (tsmixer?.channels ?? [])
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearest(name, known);
      const meant = near === undefined ? '' : `, did you mean "${near}"?`;
      return `tsmixer.channels: no feature "${name}"${meant}`;
    });
  if (violations.length === 0) return;
  const message = `config ${path}: ${violations.join('; ')}`;
  throw new SluiceError('config_invalid', message, { violations });
}

/**
 * How many policies one run compares on validation: the trees, a network for each lambda, a blend for each alpha. All of
 * them count as trials when a Sharpe ratio is deflated.
 */
export function candidateCount({ tsmixer, ensemble }: RetrainConfig): number {
  return tsmixer === null ? 1 : 1 + tsmixer.teacher_lambdas.length + ensemble.alphas.length;
}

/**
 * The config without what belongs to the machine: thread counts, which decide no byte, and where and how precisely a
 * network is trained, which the engine's own name says. The same experiment on a GPU is no new trial.
 */
export function withoutMachine(config: RetrainConfig): unknown {
  const { threads: _g, ...gbdt } = config.gbdt;
  const { threads: _b, ...baseline } = config.baseline;
  if (config.tsmixer === null) return { ...config, gbdt, baseline };
  const { threads: _n, device: _d, precision: _p, ...tsmixer } = config.tsmixer;
  return { ...config, gbdt, baseline, tsmixer };
}

/** Digest of what decides the result. */
export function configDigest(config: RetrainConfig): string {
  return digestOf(withoutMachine(config));
}
