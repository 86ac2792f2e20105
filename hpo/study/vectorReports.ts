// Reports of several objectives: Optuna's tables have room for one number at a step, so a vector is a system attribute of
// its trial, which Optuna reads past.

import type { FrozenTrial, Json } from './types.ts';

const prefix = 'sluice:report:';

/** The attribute of a report, one value for each direction. What is not finite becomes null, which JSON can say. */
export function vectorReport(
  step: number,
  values: readonly number[],
): readonly [key: string, value: Json] {
  return [`${prefix}${step}`, values.map((value) => (Number.isFinite(value) ? value : null))];
}

/** What a trial reported as vectors, by step; NaN for what was not finite. */
export function vectorReportsOf({
  systemAttributes,
}: FrozenTrial): ReadonlyMap<number, readonly number[]> {
  const vectors = new Map<number, readonly number[]>();
  for (const [key, value] of systemAttributes) {
    if (key.startsWith(prefix)) vectors.set(Number(key.slice(prefix.length)), readVector(value));
  }
  return vectors;
}

/** A vector as an attribute holds it. */
export const readVector = (value: Json): readonly number[] =>
  Array.isArray(value)
    ? value.map((item) => (typeof item === 'number' ? item : Number.NaN))
    : [Number.NaN];
