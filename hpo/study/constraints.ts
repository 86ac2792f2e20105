// Constraints: numbers that are at most 0 where a trial is feasible, in the attributes where Optuna keeps them.

import { SluiceError } from '../../core/index.ts';
import type { FrozenTrial, Json } from './types.ts';

/** System attribute with the list that every version of Optuna and its dashboard read. */
export const constraintsKey = 'constraints';

/** User attribute with the names of that list. */
export const constraintNamesKey = 'constraint_names';

/** The constraints of a trial by name (`0`, `1` where they have none); empty = none. */
export function constraintsOf(trial: FrozenTrial): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const list = trial.systemAttributes.get(constraintsKey);
  const names = trial.userAttributes.get(constraintNamesKey);
  if (Array.isArray(list)) {
    list.forEach((value, at) => {
      found.set(Array.isArray(names) ? String(names[at]) : String(at), Number(value));
    });
  }
  // Optuna 5 writes one attribute for each, and counts both kinds if both are there.
  for (const [key, value] of trial.systemAttributes) {
    if (key.startsWith(`${constraintsKey}:`)) found.set(key.slice(12), Number(value));
  }
  return found;
}

/** Whether no constraint of a trial is broken. */
export const isFeasible = (trial: FrozenTrial): boolean =>
  [...constraintsOf(trial).values()].every((value) => value <= 0);

/** The attributes of named constraints. @throws SluiceError `non_finite` */
export function constraintAttributes(constraints: Readonly<Record<string, number>>): {
  readonly values: Json;
  readonly names: Json;
} {
  const entries = Object.entries(constraints);
  const odd = entries.find(([, value]) => !Number.isFinite(value));
  if (odd !== undefined) {
    throw new SluiceError('non_finite', `Constraint ${odd[0]} must be finite; found ${odd[1]}.`);
  }
  return { values: entries.map(([, value]) => value), names: entries.map(([name]) => name) };
}
