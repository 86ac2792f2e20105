// The space of a search: parameters are named by where they stand in the config of a retrain, such as `gbdt.leaves`.

import { z } from 'zod';
import { nearest, parseStrict, SluiceError } from '../../core/index.ts';
import { type RetrainConfig, retrainConfigSchema } from '../../training/retrain/index.ts';
import {
  categoricalDistribution,
  type Distribution,
  floatDistribution,
  intDistribution,
  type ParamValue,
} from '../study/index.ts';

const range = { low: z.number(), high: z.number(), log: z.boolean().optional() };

/** One parameter of the space, as a config says it. */
export const parameterSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('float'), ...range, step: z.number().optional() }),
  z.strictObject({ kind: z.literal('int'), ...range, step: z.number().optional() }),
  z.strictObject({
    kind: z.literal('categorical'),
    choices: z.array(z.union([z.null(), z.boolean(), z.number(), z.string()])).min(1),
  }),
]);

/** Parameter name -> what it may be. */
export const spaceSchema = z.record(z.string(), parameterSchema);

/** What {@link spaceSchema} lets through. */
export type Space = z.infer<typeof spaceSchema>;

/** The one parameter that is no entry of the config: the exit score as a share of the entry score, which it may not exceed. */
const exitFrac = 'trade.sizing.exit_frac_of_entry';

/** What a search may vary: the trees and the trading rules, but neither costs nor limits, which are facts. */
const searchable = /^(gbdt|trade\.sizing)\.[a-z0-9_]+$/;
/** Entries of those that decide no result, or that would make results incomparable. */
const fixed = ['gbdt.threads', 'gbdt.device', 'gbdt.objective'];

/**
 * The distributions of a space.
 * @throws SluiceError `config_invalid` for a name that no config has, with the nearest one | `out_of_range` | `non_finite`
 */
export function distributionsOf(
  space: Space,
  base: RetrainConfig,
): Readonly<Record<string, Distribution>> {
  requireNames(space, base);
  return Object.fromEntries(
    Object.entries(space).map(([name, parameter]) => [name, distributionOf(parameter)]),
  );
}

function distributionOf(parameter: Space[string]): Distribution {
  if (parameter.kind === 'categorical') return categoricalDistribution(parameter.choices);
  const { kind, low, high, ...options } = parameter;
  return kind === 'int'
    ? intDistribution(low, high, options)
    : floatDistribution(low, high, options);
}

function requireNames(space: Space, base: RetrainConfig): void {
  const known = [
    ...Object.keys(base.gbdt).map((key) => `gbdt.${key}`),
    ...Object.keys(base.trade.sizing).map((key) => `trade.sizing.${key}`),
    exitFrac,
  ].filter((name) => !fixed.includes(name));
  const violations = Object.keys(space)
    .filter((name) => !searchable.test(name) || !known.includes(name))
    .map((name) => `space: ${name} cannot be searched, did you mean ${nearest(name, known)}?`);
  if (violations.length === 0) return;
  throw new SluiceError('config_invalid', violations.join('; '), { violations });
}

/** The config of a trial. @throws SluiceError `config_invalid` if a retrain would refuse it */
export function applyParams(
  base: RetrainConfig,
  params: Readonly<Record<string, ParamValue>>,
): RetrainConfig {
  const config: Record<string, unknown> = structuredClone(base);
  for (const [name, value] of Object.entries(params)) {
    if (name !== exitFrac) place(config, name.split('.'), value);
  }
  const frac = params[exitFrac];
  const { entry_score: entry } = (config as RetrainConfig).trade.sizing;
  if (typeof frac === 'number') place(config, ['trade', 'sizing', 'exit_score'], frac * entry);
  return parseStrict(retrainConfigSchema, config, 'the config of a trial');
}

function place(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (rest.length === 0) into[key!] = value;
  else place(into[key!] as Record<string, unknown>, rest, value);
}
