// How a trial ends, from what its objective gave: Optuna's rules.

import { SluiceError } from '../../core/index.ts';
import type { TrialEnd } from './storage.ts';
import type { Direction, FrozenTrial } from './types.ts';

/** What an objective gives: a value for each direction, or the news that it gave up. */
export type Outcome = number | readonly number[] | 'PRUNED' | 'FAIL';

/** An end, and why it is FAIL where the objective did not say so. */
export interface Judgement {
  readonly end: TrialEnd;
  readonly reason: string | null;
}

/**
 * NaN and a wrong count of values make a trial FAIL; a pruned one of a single objective has its last report as
 * value, unless that is NaN. Infinite values are values.
 */
export function judge(
  outcome: Outcome,
  directions: readonly Direction[],
  trial: FrozenTrial,
  completedAt: number,
): Judgement {
  if (outcome === 'FAIL') {
    return { end: { state: 'FAIL', values: null, completedAt }, reason: null };
  }
  if (outcome === 'PRUNED') {
    const values = directions.length === 1 ? lastReport(trial) : null;
    return { end: { state: 'PRUNED', values, completedAt }, reason: null };
  }
  const values = typeof outcome === 'number' ? [outcome] : [...outcome];
  const reason = objection(values, directions.length);
  return reason === null
    ? { end: { state: 'COMPLETE', values, completedAt }, reason }
    : { end: { state: 'FAIL', values: null, completedAt }, reason };
}

function objection(values: readonly unknown[], expected: number): string | null {
  if (values.length !== expected) {
    return `${expected} values were expected, one for each direction; found ${values.length}`;
  }
  const odd = values.find((value) => typeof value !== 'number' || Number.isNaN(value));
  return odd === undefined ? null : `the value ${String(odd)} is no number to compare`;
}

function lastReport(trial: FrozenTrial): readonly number[] | null {
  const last = trial.reports.get(Math.max(...trial.reports.keys()));
  return last === undefined || Number.isNaN(last) ? null : [last];
}

/** @throws SluiceError `out_of_range` unless a step is a whole number from 0 */
export function requireStep(step: number): void {
  if (Number.isSafeInteger(step) && step >= 0) return;
  throw new SluiceError('out_of_range', `A step is a whole number from 0; found ${step}.`);
}
