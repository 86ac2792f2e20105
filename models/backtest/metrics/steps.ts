// The series that every metric reads, and the checks that keep non-numbers out of all of them.

import { SluiceError } from '../../../core/index.ts';

/** Steps of one run: arrays [K], money in quote currency. */
export interface StepSeries {
  readonly timeframeMs: number;
  readonly initialEquity: number;
  /** close of the step's bar, Unix ms UTC, strictly increasing */
  readonly closeMs: Float64Array;
  /** equity change of the step, after cost */
  readonly pnl: Float64Array;
  /** equity at the step's close */
  readonly equity: Float64Array;
}

/**
 * Refuses a series that no metric can be computed from.
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite`
 */
export function checkSteps(steps: StepSeries): void {
  const { closeMs, pnl, equity } = steps;
  requireFinite('initialEquity', [steps.initialEquity]);
  requireFinite('timeframeMs', [steps.timeframeMs]);
  for (const [name, column] of Object.entries({ closeMs, pnl, equity })) {
    if (column.length !== closeMs.length) {
      throw new SluiceError(
        'length_mismatch',
        `Expected ${closeMs.length} ${name}, one per step; found ${column.length}.`,
        { name, expected: closeMs.length, found: column.length },
      );
    }
    requireFinite(name, column);
  }
  for (let k = 1; k < closeMs.length; k += 1) {
    if (closeMs[k]! > closeMs[k - 1]!) continue;
    throw new SluiceError(
      'unordered_time',
      `Steps must follow each other in time; found ${closeMs[k - 1]} before ${closeMs[k]}.`,
      { index: k },
    );
  }
}

/** @throws SluiceError `non_finite` naming the first bad index */
export function requireFinite(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i += 1) {
    if (Number.isFinite(values[i]!)) continue;
    throw new SluiceError(
      'non_finite',
      `${name}[${i}] is ${values[i]}; every value must be finite.`,
      {
        name,
        index: i,
      },
    );
  }
}
