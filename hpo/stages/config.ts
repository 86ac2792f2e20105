// The config of a search: one strict schema. The retrain config that it starts from is a file of its own.

import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { parseStrict, parseTimeframe, readJson, SluiceError } from '../../core/index.ts';
import { barFeaturesV1 } from '../../data/feature/index.ts';
import { type RetrainConfig, readRetrainConfig } from '../../training/retrain/index.ts';
import {
  distributionsOf,
  judgedPolicySchema,
  spaceSchema,
  weightsSchema,
} from '../objective/index.ts';

const count = z.int().positive();

const stageSchema = z.strictObject({
  /** the first so many symbols of the market */
  symbols: count,
  /** length of the window, as a share of the search span */
  span_frac: z.number().gt(0).lt(1),
  /** walk-forward folds; each is a report that a pruner may end the trial by */
  folds: count,
  trials: count,
});

const prunerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('median'),
    startup_trials: count,
    warmup_steps: z.int().min(0),
  }),
  z.strictObject({
    kind: z.literal('successive_halving'),
    min_resource: count,
    reduction_factor: z.int().min(2),
  }),
]);

/** The whole config of a search. */
export const searchConfigSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,40}$/, 'lower-case letters, digits and _'),
  /** config of a retrain, relative to this file; a trial changes what `space` names */
  base: z.string().min(1),
  /** what is fitted and traded: `tabular_only` = the trees, `nn_only` = the network */
  policy: judgedPolicySchema.default('tabular_only'),
  space: spaceSchema,
  /** penalties of the objective */
  weights: weightsSchema,
  sampler: z.strictObject({
    /** trials before TPE learns from them */
    startup_trials: count,
    candidates: count,
  }),
  pruner: prunerSchema,
  /** trials that one process asks for at once; networks that differ in members' own settings are trained as one batch */
  batch: count.default(1),
  /** deterministic mode: trial n learns from the trials up to n - window */
  window: count,
  coarse: stageSchema,
  refine: stageSchema.extend({
    /** best trials of the coarse stage that it begins with */
    taken_up: count,
    /** how far around their values it looks, as a share of each parameter's range */
    margin_frac: z.number().min(0).max(1),
  }),
  /** best trials of the refine stage that forward OOS is shown */
  confirm: z.strictObject({ taken_up: count }),
});

/** What {@link searchConfigSchema} lets through. */
export type SearchConfig = z.infer<typeof searchConfigSchema>;

/** Reads a config and the one that it starts from. @throws SluiceError `input_missing` | `input_invalid` | `config_invalid` */
export function readSearchConfig(path: string): { config: SearchConfig; base: RetrainConfig } {
  const config = parseStrict(searchConfigSchema, readJson(path), `config ${path}`);
  const base = readRetrainConfig(resolve(dirname(path), config.base));
  distributionsOf(config.space, base, config.policy);
  if (config.policy === 'nn_only') requireChannels(config, base);
  return { config, base };
}

/** A stage has the features of its symbols: those across symbols are there from two symbols on. */
function requireChannels(config: SearchConfig, { tsmixer, data }: RetrainConfig): void {
  const timeframeMs = parseTimeframe(data.timeframe);
  const violations = (['coarse', 'refine'] as const).flatMap((stage) => {
    const { symbols } = config[stage];
    const spec = barFeaturesV1({ symbolCount: symbols, timeframeMs });
    const known = new Set(spec.entries.map(({ name }) => name));
    const missing = tsmixer!.channels.filter((channel) => !known.has(channel));
    return missing.map(
      (channel) =>
        `${stage}.symbols: the channel ${channel} of the base is not there for ${symbols} symbol(s); give the stage more, or choose other channels`,
    );
  });
  if (violations.length > 0) {
    throw new SluiceError('config_invalid', violations.join('; '), { violations });
  }
}

/** The same search with so many trials in its first two stages together, shared out as the config shares them. */
export function withTrials(config: SearchConfig, trials: number): SearchConfig {
  const { coarse, refine } = config;
  const share = Math.round((trials * coarse.trials) / (coarse.trials + refine.trials));
  const first = Math.min(Math.max(1, share), Math.max(1, trials - 1));
  return {
    ...config,
    coarse: { ...coarse, trials: first },
    refine: { ...refine, trials: Math.max(1, trials - first) },
  };
}
