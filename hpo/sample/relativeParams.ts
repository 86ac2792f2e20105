// Parameters that were chosen together, as Optuna shares them with other workers before the objective asks for them: JSON in
// system attributes of the running trial, cut into pieces that its tables can hold.

import {
  type FrozenTrial,
  type Json,
  type ParamValue,
  type TrialParam,
  toExternal,
} from '../study/index.ts';

const longest = 2045;
const keyOf = (piece: number): string => `tpe:relative_params:${piece}`;

/** The attributes that share parameters; none if there are none. */
export function relativeParamsAttributes(
  params: ReadonlyMap<string, TrialParam>,
): ReadonlyMap<string, Json> {
  const attributes = new Map<string, Json>();
  if (params.size === 0) return attributes;
  const values = [...params].map(([name, { distribution, value }]) => [
    name,
    toExternal(distribution, value),
  ]);
  const text = JSON.stringify(Object.fromEntries(values));
  for (let piece = 0; piece * longest < text.length; piece += 1) {
    attributes.set(keyOf(piece), text.slice(piece * longest, (piece + 1) * longest));
  }
  return attributes;
}

/** The values that a running trial shares, by name; none of any other trial, and none while not all pieces are written. */
export function relativeParams({
  state,
  systemAttributes,
}: FrozenTrial): readonly [string, ParamValue][] {
  if (state !== 'RUNNING' || !systemAttributes.has(keyOf(0))) return [];
  let text = '';
  for (let piece = 0; ; piece += 1) {
    const part = systemAttributes.get(keyOf(piece));
    if (typeof part !== 'string') break;
    text += part;
  }
  try {
    return Object.entries(JSON.parse(text) as Record<string, ParamValue>);
  } catch {
    return [];
  }
}
