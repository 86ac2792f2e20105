// A finished trial as one line of a journal, and back.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import type { Distribution, FrozenTrial, Json, TrialState } from '../study/index.ts';
import { parseExact, writeExact } from './exactJson.ts';

/** A line that was understood. */
export interface JournalLine {
  readonly study: string;
  readonly trial: FrozenTrial;
}

const finished = ['COMPLETE', 'PRUNED', 'FAIL'] as const satisfies readonly TrialState[];

// z.number() refuses NaN and the infinities, which reports and values may be
const double = z.custom<number>((value) => typeof value === 'number', 'expected a number');
const attributes = z.custom<{ readonly [key: string]: Json }>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'expected an object',
);
const distribution: z.ZodType<Distribution> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('float'),
    low: z.number(),
    high: z.number(),
    step: z.number().nullable(),
    log: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal('int'),
    low: z.number(),
    high: z.number(),
    step: z.number(),
    log: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal('categorical'),
    choices: z.array(z.union([z.null(), z.boolean(), double, z.string()])),
  }),
]);

const lineSchema = z.strictObject({
  study: z.string(),
  number: z.int().nonnegative(),
  trial_id: z.int(),
  state: z.enum(finished),
  values: z.array(double).nullable(),
  params: z.array(z.strictObject({ name: z.string(), value: double, distribution })),
  /** pairs of step and value */
  intermediate_values: z.array(z.tuple([z.int(), double])),
  user_attrs: attributes,
  system_attrs: attributes,
  started_at_ms: z.number().nullable(),
  completed_at_ms: z.number().nullable(),
});

/** The line of a finished trial, its newline included. */
export function trialLine(study: string, trial: FrozenTrial): string {
  const line: z.input<typeof lineSchema> = {
    study,
    number: trial.number,
    trial_id: trial.id,
    state: trial.state as (typeof finished)[number],
    values: trial.values === null ? null : [...trial.values],
    params: [...trial.params].map(([name, { value, distribution }]) => ({
      name,
      value,
      distribution,
    })),
    intermediate_values: [...trial.reports],
    user_attrs: Object.fromEntries(trial.userAttributes),
    system_attrs: Object.fromEntries(trial.systemAttributes),
    started_at_ms: trial.startedAt,
    completed_at_ms: trial.completedAt,
  };
  return `${writeExact(line as unknown as Json)}\n`;
}

/**
 * Reads a line back.
 * @param where names the line in messages
 * @throws SyntaxError if it is not JSON; SluiceError `input_invalid` if it is not a finished trial
 */
export function parseTrialLine(text: string, where: string): JournalLine {
  const line = parseStrict(lineSchema, parseExact(text), where, 'input_invalid');
  const trial: FrozenTrial = {
    id: line.trial_id,
    number: line.number,
    state: line.state,
    values: line.values,
    params: new Map(
      line.params.map(({ name, value, distribution }) => [name, { value, distribution }]),
    ),
    reports: new Map(line.intermediate_values),
    userAttributes: new Map(Object.entries(line.user_attrs)),
    systemAttributes: new Map(Object.entries(line.system_attrs)),
    startedAt: line.started_at_ms,
    completedAt: line.completed_at_ms,
  };
  return { study: line.study, trial };
}
