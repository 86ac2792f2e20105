// Canonical JSON (sorted keys, no blanks, shortest numbers: RFC 8785 for the values we allow) and
// sha256 of it. What JSON cannot say exactly (undefined, NaN, bigint, functions) is an error, not a loss.

import { createHash } from 'node:crypto';
import { SluiceError } from './errors.ts';

/**
 * The one text form of a JSON value: keys sorted by UTF-16 code unit, no white space.
 * @throws SluiceError `not_canonical` naming the path of the offending value
 * @source RFC 8785
 */
export function canonicalJson(value: unknown): string {
  return write(value, '$');
}

function write(value: unknown, path: string): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    return JSON.stringify(value);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) {
    return `[${value.map((item, i) => write(item, `${path}[${i}]`)).join(',')}]`;
  }
  if (typeof value === 'object' && isPlain(value)) {
    const fields = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${write(item, `${path}.${key}`)}`);
    return `{${fields.join(',')}}`;
  }
  throw new SluiceError(
    'not_canonical',
    `${path} holds ${describe(value)}, which JSON cannot say; give a finite number, string, boolean, null, array or plain object.`,
    { path },
  );
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  return typeof value === 'object' ? (value?.constructor?.name ?? 'an object') : String(value);
}

/** sha256 of bytes or of a string's UTF-8 bytes, lower-case hex. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** sha256 of the canonical JSON of a value, lower-case hex. */
export function digestOf(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}
