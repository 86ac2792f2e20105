// The schema handshake: what a caller believes about the model must be what the signed manifest says.

import { type Refusal, refuse } from './refusal.ts';

/** Manifest fields that a caller may state; a stated field that differs is never served. */
const statedFields = [
  'feature_payload_schema_version',
  'feature_version',
  'data_version',
  'lineage_id',
] as const;

/** The identity of a model as its manifest states it. */
export type ModelIdentity = Readonly<Record<(typeof statedFields)[number], string>>;

/**
 * Compares what a caller states with the manifest; fields that are not stated are not compared.
 * @returns a refusal `schema_mismatch` that names every difference, or undefined
 */
export function checkHandshake(
  manifest: ModelIdentity,
  stated: Readonly<Record<string, unknown>>,
): Refusal | undefined {
  let differences: string[] | undefined;
  for (const field of statedFields) {
    const value = stated[field];
    if (value === undefined || value === manifest[field]) continue;
    differences ??= [];
    differences.push(
      `${field} is ${JSON.stringify(manifest[field])}, the request says ${JSON.stringify(value)}`,
    );
  }
  if (differences === undefined) return undefined;
  return refuse(
    'schema_mismatch',
    `The request was made for another model: ${differences.join('; ')}. Read the model's metadata and rebuild the features.`,
  );
}
