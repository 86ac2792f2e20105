// The ranges of the pruners' options, checked together.

import { SluiceError } from '../../core/index.ts';

/** An option's name, what was given, and the least it may be. */
export type Bound = readonly [name: string, given: number, least: number];

/** @throws SluiceError `out_of_range` naming every option that is not a whole number in its range */
export function needWhole(pruner: string, bounds: readonly Bound[]): void {
  const violations = bounds
    .filter(([, given, least]) => !Number.isSafeInteger(given) || given < least)
    .map(([name, given, least]) => `${name} must be a whole number from ${least}, not ${given}`);
  if (violations.length > 0)
    throw new SluiceError('out_of_range', `${pruner}: ${violations.join('; ')}.`, { violations });
}
