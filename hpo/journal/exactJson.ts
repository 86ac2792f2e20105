// JSON that keeps every double. NaN, the infinities and -0, which JSON cannot say, become {"number":"NaN"}; an object that
// happens to look like that is wrapped once more, so nothing is mistaken for anything else.

import type { Json } from '../study/index.ts';

const wrapper = 'number';
const named: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** One line of JSON text from which {@link parseExact} makes an equal value. */
export function writeExact(value: Json): string {
  return JSON.stringify(sayable(value));
}

/**
 * The value of a text that {@link writeExact} wrote; other JSON passes as it is.
 * @throws SyntaxError if it is not JSON
 */
export function parseExact(text: string): Json {
  return meant(JSON.parse(text));
}

function sayable(value: Json): Json {
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : { [wrapper]: nameOf(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(sayable);
  const fields = mapFields(value, sayable);
  return isWrapper(fields) ? { [wrapper]: fields } : fields;
}

function meant(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(meant);
  const inner = isWrapper(value) ? value[wrapper] : undefined;
  if (typeof inner === 'string' && named.has(inner)) return named.get(inner)!;
  const isWrapped = typeof inner === 'object' && inner !== null && !isList(inner);
  return mapFields(isWrapped && isWrapper(inner) ? inner : value, meant);
}

const nameOf = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
const isWrapper = (value: { readonly [key: string]: Json }): boolean =>
  Object.keys(value).length === 1 && Object.hasOwn(value, wrapper);

// fromEntries makes a field even of a key like __proto__
const mapFields = (value: { readonly [key: string]: Json }, map: (value: Json) => Json) =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, map(item)]));
