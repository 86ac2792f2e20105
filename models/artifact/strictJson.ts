// JSON documents from outside: strict UTF-8, finite numbers, a strict schema, and (for our own files) the one
// canonical form, so that a document has one meaning and one sha256.

import type { z } from 'zod';
import { canonicalJson, parseStrict, SluiceError } from '../../core/index.ts';
import { type Violation, type ViolationCode, violation } from './violations.ts';

/** A document's value, or null and every reason why there is none. */
export interface ParsedDocument<T> {
  readonly value: T | null;
  readonly violations: readonly Violation[];
}

/**
 * Parses bytes and checks them against a schema.
 * @param code of the violations, but for non-finite numbers
 */
export function parseDocument<S extends z.ZodType>(
  schema: S,
  name: string,
  bytes: Uint8Array,
  code: ViolationCode,
): ParsedDocument<z.output<S>> {
  const json = parseJson(name, bytes, code);
  if (json.value === null) return { value: null, violations: json.violations };
  return matchSchema(schema, name, json.value.json, code);
}

/** {@link parseDocument} that also wants canonical form. */
export function parseCanonical<S extends z.ZodType>(
  schema: S,
  name: string,
  bytes: Uint8Array,
  code: ViolationCode,
): ParsedDocument<z.output<S>> {
  const json = parseJson(name, bytes, code);
  if (json.value === null) return { value: null, violations: json.violations };
  const parsed = matchSchema(schema, name, json.value.json, code);
  // a schema that passed has bounded the depth, so that this recursion ends
  if (parsed.value === null || Buffer.from(canonicalJson(json.value.json)).equals(bytes))
    return parsed;
  return {
    value: null,
    violations: [violation(code, `${name} is not in canonical form (RFC 8785).`)],
  };
}

/** Any JSON value, wrapped so that `null` can be one. */
export function parseJson(
  name: string,
  bytes: Uint8Array,
  code: ViolationCode,
): ParsedDocument<{ readonly json: unknown }> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    const message = `${name} does not parse: ${(error as Error).message}`;
    return { value: null, violations: [violation(code, message)] };
  }
  const fault = oddity(name, json, code);
  return fault === null
    ? { value: { json }, violations: [] }
    : { value: null, violations: [fault] };
}

/** Walks without recursion: the depth is the sender's choice. */
function oddity(name: string, root: unknown, code: ViolationCode): Violation | null {
  const open = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (value === Infinity || value === -Infinity) {
      return violation('non_finite', `${name} holds a number beyond float64.`);
    }
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__'))
      return violation(code, `${name} holds a key "__proto__".`);
    for (const item of Object.values(value)) open.push(item);
  }
  return null;
}

function matchSchema<S extends z.ZodType>(
  schema: S,
  name: string,
  json: unknown,
  code: ViolationCode,
): ParsedDocument<z.output<S>> {
  try {
    return { value: parseStrict(schema, json, name), violations: [] };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const sentences = error.context.violations as readonly string[];
    return {
      value: null,
      violations: sentences.map((text) => violation(code, `${name}: ${text}`)),
    };
  }
}
