// A feature spec as JSON: written into the manifest, read back by the server, digested to the feature version.

import { z } from 'zod';
import { digestOf, nearest, parseStrict, SluiceError } from '../../core/index.ts';
import { featureKinds } from './featureKind.ts';
import type { FeatureEntry, FeatureSpec } from './types.ts';

const entrySchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/),
  dtype: z.literal('float32'),
  unit: z.string(),
  nullable: z.boolean(),
  source: z.enum(['bars', 'cross_section', 'calendar']),
  kind: z.string(),
  params: z.record(z.string(), z.int().positive()),
});

const specSchema = z.strictObject({
  feature_payload_schema_version: z.string().min(1).max(64),
  lookback_bars: z.int().positive().max(100_000),
  entries: z.array(entrySchema).min(1).max(4096),
});

/**
 * Reads a spec that came from a file or a manifest.
 * @throws SluiceError `config_invalid` with every violation: schema, unknown kinds, units that are not the kind's,
 *   numbers that a kind lacks, look-backs that do not fit, names that stand twice, mixed bar lengths
 */
export function parseFeatureSpec(json: unknown): FeatureSpec {
  const parsed = parseStrict(specSchema, json, 'feature spec');
  const spec: FeatureSpec = {
    payloadSchemaVersion: parsed.feature_payload_schema_version,
    lookbackBars: parsed.lookback_bars,
    entries: parsed.entries,
  };
  checkFeatureSpec(spec);
  return spec;
}

/** The spec as it stands in files: what {@link parseFeatureSpec} reads. */
export function featureSpecJson(spec: FeatureSpec): z.input<typeof specSchema> {
  return {
    feature_payload_schema_version: spec.payloadSchemaVersion,
    lookback_bars: spec.lookbackBars,
    entries: spec.entries.map(({ name, dtype, unit, nullable, source, kind, params }) => ({
      name,
      dtype,
      unit,
      nullable,
      source,
      kind,
      params: { ...params },
    })),
  };
}

/** The `feature_version`: sha256 of the spec's canonical JSON, hex. */
export const featureVersion = (spec: FeatureSpec): string => digestOf(featureSpecJson(spec));

/** Bar length that a spec is declared for, ms. */
export const specTimeframeMs = (spec: FeatureSpec): number => spec.entries[0]!.params.bar_ms!;

/**
 * Checks what a schema cannot say; see {@link parseFeatureSpec}.
 * @throws SluiceError `config_invalid`
 */
export function checkFeatureSpec(spec: FeatureSpec): void {
  const violations = spec.entries.flatMap((entry) => entryViolations(entry, spec));
  const names = spec.entries.map((entry) => entry.name);
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (names.length === 0) violations.push('a spec needs at least one entry');
  violations.push(...twice.map((name) => `${name}: the name stands twice`));
  if (violations.length === 0) return;
  throw new SluiceError('config_invalid', `feature spec: ${violations.join('; ')}`, {
    violations,
  });
}

function entryViolations(entry: FeatureEntry, spec: FeatureSpec): string[] {
  const { name, params } = entry;
  const kind = Object.hasOwn(featureKinds, entry.kind) ? featureKinds[entry.kind] : undefined;
  if (kind === undefined) {
    const near = nearest(entry.kind, Object.keys(featureKinds));
    return [
      `${name}: unknown kind "${entry.kind}"${near === undefined ? '' : `, did you mean "${near}"?`}`,
    ];
  }
  const wanted = [...kind.params, 'bar_ms'].sort().join(', ');
  const found = Object.keys(params).sort().join(', ');
  if (wanted !== found) return [`${name}: ${entry.kind} takes ${wanted}, found ${found}`];
  const violations: string[] = [];
  for (const field of ['unit', 'source', 'nullable'] as const) {
    if (entry[field] !== kind[field])
      violations.push(`${name}: ${field} of ${entry.kind} is ${kind[field]}, not ${entry[field]}`);
  }
  if (kind.unit === 'zscore' && params.bars! < 2)
    violations.push(`${name}: a z-score needs at least 2 bars`);
  const lookback = kind.lookback(params);
  if (lookback > spec.lookbackBars)
    violations.push(`${name}: looks back ${lookback} bars, the spec ${spec.lookbackBars}`);
  if (params.bar_ms !== specTimeframeMs(spec))
    violations.push(`${name}: bar_ms differs from the first entry's`);
  return violations;
}
