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
import type { JudgedPolicy } from './task.ts';

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

/** The exit score as a share of the entry score, which it may not exceed; no entry of the config. */
const exitFrac = 'trade.sizing.exit_frac_of_entry';
/** The one lambda of a network on trial; the config has a list, of which a retrain chooses. */
const teacherLambda = 'tsmixer.teacher_lambda';

/** Entries that decide no result, that would make results incomparable, or that are luck. */
const fixed = [
  ...['gbdt.threads', 'gbdt.device', 'gbdt.objective', 'gbdt.seed'],
  ...['tsmixer.threads', 'tsmixer.device', 'tsmixer.precision', 'tsmixer.seed', 'tsmixer.seeds'],
  ...['tsmixer.channels', 'tsmixer.teacher_lambdas'],
];

/**
 * The distributions of a space. A search may vary the model that it judges and the trading rules, but neither costs nor
 * limits, which are facts.
 * @throws SluiceError `config_invalid` for a name that no config has or that decides nothing under the policy, with the
 *   nearest one | `out_of_range` | `non_finite`
 */
export function distributionsOf(
  space: Space,
  base: RetrainConfig,
  policy: JudgedPolicy,
): Readonly<Record<string, Distribution>> {
  requireNames(space, base, policy);
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

function requireNames(space: Space, base: RetrainConfig, policy: JudgedPolicy): void {
  const known = searchableNames(base, policy);
  const violations = Object.keys(space)
    .filter((name) => !known.includes(name))
    .map(
      (name) =>
        `space: ${name} cannot be searched where ${policy} is judged, did you mean ${nearest(name, known)}?`,
    );
  if (policy === 'nn_only') violations.push(...objectionsToNetwork(space, base));
  if (violations.length === 0) return;
  throw new SluiceError('config_invalid', violations.join('; '), { violations });
}

function searchableNames(base: RetrainConfig, policy: JudgedPolicy): readonly string[] {
  const names = (section: string, entries: object) =>
    Object.keys(entries).map((key) => `${section}.${key}`);
  return [
    ...(policy === 'tabular_only'
      ? names('gbdt', base.gbdt)
      : [...names('tsmixer', base.tsmixer ?? {}), teacherLambda]),
    ...names('trade.sizing', base.trade.sizing),
    exitFrac,
  ].filter((name) => !fixed.includes(name));
}

function objectionsToNetwork(space: Space, { tsmixer }: RetrainConfig): string[] {
  if (tsmixer === null) {
    return ['base: its tsmixer is null, so there is no network to judge'];
  }
  const isOpen = !(teacherLambda in space) && tsmixer.teacher_lambdas.length > 1;
  return isOpen
    ? [
        `space: a trial has one lambda, and the base has ${tsmixer.teacher_lambdas.length}: add ${teacherLambda}, or leave one of them in tsmixer.teacher_lambdas`,
      ]
    : [];
}

/** The config of a trial. @throws SluiceError `config_invalid` if a retrain would refuse it */
export function applyParams(
  base: RetrainConfig,
  params: Readonly<Record<string, ParamValue>>,
): RetrainConfig {
  const config: Record<string, unknown> = structuredClone(base);
  for (const [name, value] of Object.entries(params)) {
    if (name === teacherLambda) place(config, ['tsmixer', 'teacher_lambdas'], [value]);
    else if (name !== exitFrac) place(config, name.split('.'), value);
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
