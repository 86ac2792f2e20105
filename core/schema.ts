// Strict parsing at the edges: every violation in one sentence, unknown keys named with the nearest known one.

import { z } from 'zod';
import { type ErrorCode, SluiceError } from './errors.ts';

/**
 * Parses a value that came from outside.
 * @param what names the thing in the message, for example `config configs/default.json`
 * @throws SluiceError with the given code (default `config_invalid`) and `context.violations`
 */
export function parseStrict<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  code: ErrorCode = 'config_invalid',
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const violations = result.error.issues.flatMap((issue) => sentences(issue, schema));
  throw new SluiceError(code, `${what}: ${violations.join('; ')}`, { violations });
}

function sentences(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  const path = issue.path.length === 0 ? 'top level' : issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [`${path}: ${issue.message}`];
  const known = knownKeys(schema, issue.path);
  return issue.keys.map((key) => {
    const near = nearest(key, known);
    return `${path}: unknown key "${key}"${near === undefined ? '' : `, did you mean "${near}"?`}`;
  });
}

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: z.ZodType | undefined = unwrap(schema);
  for (const key of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[String(key)]);
    else if (at instanceof z.ZodArray) at = unwrap(at.element as z.ZodType);
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  let at = schema;
  while (
    at instanceof z.ZodDefault ||
    at instanceof z.ZodOptional ||
    at instanceof z.ZodNullable ||
    at instanceof z.ZodPrefault
  ) {
    at = at.unwrap() as z.ZodType;
  }
  return at;
}

/** The candidate with the smallest edit distance, if it is near enough to be a slip. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, word.length / 3)
    ? best.candidate
    : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, above[j]! + 1, row[j - 1]! + 1));
    }
  }
  return row[b.length]!;
}
