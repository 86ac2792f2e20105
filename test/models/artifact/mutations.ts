// Mutations for fuzzing: of bytes, and of JSON by structure.

import type { Random } from '../../../core/index.ts';

const pick = <T>(random: Random, items: readonly T[]): T => items[random.integer(items.length)]!;

/** Bytes with a bit flipped, a byte set, a piece cut, repeated or inserted, or the end cut; never the same bytes. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  const at = random.integer(bytes.length);
  const piece = bytes.subarray(at, at + 1 + random.integer(12));
  const changed = pick(random, [
    () => flipBit(random, bytes, at),
    () => flipBit(random, bytes, at),
    () =>
      Buffer.concat([
        bytes.subarray(0, at),
        Buffer.of(random.integer(256)),
        bytes.subarray(at + 1),
      ]),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece.length)]),
    () => Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]),
    () =>
      Buffer.concat([bytes.subarray(0, at), Buffer.of(random.integer(256)), bytes.subarray(at)]),
    () => bytes.subarray(0, at),
  ])();
  return changed.equals(bytes) ? flipBit(random, bytes, at) : changed;
}

function flipBit(random: Random, bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1 << random.integer(8);
  return changed;
}

type Json = unknown;
type Container = Record<string | number, Json>;

/** A value inside a JSON document. */
export interface Place {
  readonly path: readonly (string | number)[];
  readonly holder: Container;
  readonly key: string | number;
  readonly value: Json;
}

/** All places below the root. */
export function placesOf(root: Json, path: readonly (string | number)[] = []): Place[] {
  if (typeof root !== 'object' || root === null) return [];
  const holder = root as Container;
  const keys = Array.isArray(root) ? [...root.keys()] : Object.keys(root);
  return keys.flatMap((key) => {
    const place = { path: [...path, key], holder, key, value: holder[key] };
    return [place, ...placesOf(place.value, place.path)];
  });
}

const odd: readonly Json[] = [
  ...[0, -1, 1, 0.5, 2 ** 53, -(2 ** 53), 1e308, 5e-324, 1e21],
  ...['', 'x', '..', '../x', '/etc/passwd', 'a\\b', '\0', '\u0308u', 'tabular_only', 'nn_only'],
  ...[null, true, false, [], {}, [null], [[]], { a: 1 }, 'a'.repeat(64), 'x'.repeat(600)],
];

const typeOf = (value: Json): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;

/** Puts a value of another JSON type in place, but never null. */
export function changeType(random: Random, { holder, key, value }: Place): void {
  const others = odd.filter((other) => other !== null && typeOf(other) !== typeOf(value));
  holder[key] = structuredClone(pick(random, others));
}

/** Replaces, nudges, removes, adds or repeats; the place may be anywhere. */
export function mutatePlace(random: Random, place: Place): void {
  const { holder, key, value } = place;
  const replace = () => {
    holder[key] = structuredClone(pick(random, odd));
  };
  const nudge = () => {
    if (typeof value === 'number') holder[key] = value + pick(random, [1, -1, 1e3, -1e12, 0.5]);
    else if (typeof value === 'string') holder[key] = mutateText(random, value);
    else if (typeof value === 'boolean') holder[key] = !value;
    else replace();
  };
  const remove = () => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  };
  const repeat = () => {
    if (Array.isArray(holder)) holder.splice(Number(key), 0, structuredClone(value));
    else holder[`${key}_`] = structuredClone(value);
  };
  pick(random, [replace, nudge, nudge, remove, repeat])();
}

function mutateText(random: Random, text: string): string {
  const at = random.integer(text.length + 1);
  const inserted = pick(random, ['a', '0', '/', '\\', '\0', '..', 'é', '\u0301', '']);
  return text.slice(0, at) + inserted + text.slice(at + random.integer(2));
}
