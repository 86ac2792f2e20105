// What a process says of a trial, checked and put into the trial.

import { z } from 'zod';
import { asSluiceError, parseStrict } from '../../core/index.ts';
import type { Json, Outcome, Trial } from '../study/index.ts';
import type { TrialOutcome } from './types.ts';

// z.number() refuses NaN and the infinities, which values and reports may be
const double = z.custom<number>((value) => typeof value === 'number', 'expected a number');
const schema = z.strictObject({
  values: z.array(double).nullable(),
  failure: z.string().nullable(),
  userAttributes: z.record(z.string(), z.json()),
  reports: z.array(z.tuple([z.int().nonnegative(), double])),
  pruned: z.boolean().optional(),
  constraints: z.record(z.string(), z.number()).optional(),
});

/** An outcome that says why there is none. */
export const failure = (reason: string): TrialOutcome => ({
  values: null,
  failure: reason,
  userAttributes: {},
  reports: [],
});

/** An outcome as a module gave it; what is none becomes a failure that says so. */
export function readOutcome(found: unknown): TrialOutcome {
  try {
    return parseStrict(schema, found, 'its outcome', 'input_invalid');
  } catch (error) {
    return failure(asSluiceError(error).message);
  }
}

/** Puts an outcome into its trial. @returns how the trial ends, and why if it failed */
export function applyOutcome(
  trial: Trial,
  outcome: TrialOutcome,
): { readonly end: Outcome; readonly reason: string | undefined } {
  for (const [step, value] of outcome.reports) trial.report(value, step);
  for (const [key, value] of Object.entries(outcome.userAttributes)) {
    trial.setUserAttribute(key, value as Json);
  }
  if (outcome.constraints !== undefined) trial.setConstraints(outcome.constraints);
  if (outcome.pruned === true) return { end: 'PRUNED', reason: undefined };
  if (outcome.values !== null) return { end: outcome.values, reason: undefined };
  return { end: 'FAIL', reason: outcome.failure ?? 'it gave neither values nor a reason' };
}
