// manifest.json: everything that one must know of a model besides its numbers. The specification's names.

import { z } from 'zod';
import {
  blendPolicy,
  canonicalJson,
  type Policy,
  parseTimeframe,
  policySchema,
  SluiceError,
} from '../../core/index.ts';
import { type FeatureSpec, featureVersion, parseFeatureSpec } from '../../data/feature/index.ts';
import { tradeConfigSchema } from '../trade/index.ts';
import { nameViolations } from './names.ts';
import { type ParsedDocument, parseCanonical, parseJson } from './strictJson.ts';
import { type Violation, violation } from './violations.ts';

/** The only version that is written and read. */
export const manifestVersion = 1;

/** Names of the files of an artifact. */
export const artifactFile = {
  manifest: 'manifest.json',
  tabular: 'tabular.onnx',
  network: 'nn.onnx',
  normalization: 'normalization.json',
  golden: 'golden.json',
  trainReport: 'train_report.json',
} as const;

const fileName = z.string().min(1).max(255);
const text = z.string().min(1).max(500);
const identifier = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const timeMs = z.int().nonnegative();
const span = z
  .strictObject({ from: timeMs, to: timeMs })
  .refine(({ from, to }) => from < to, 'from must be before to');

/** What trained the trees or the network. */
const enginePart = z.strictObject({
  part: z.enum(['trees', 'network']),
  name: text,
  version: text,
  device: z.enum(['cpu', 'cuda']),
  /** of a GPU as its driver calls it; null = not known */
  device_name: text.nullable(),
  precision: text,
  /** newest CUDA that the GPU's driver runs; null = a CPU, or not known */
  driver: text.nullable(),
  /** whether the same inputs give the same bytes there again */
  reproducible: z.boolean(),
});

const draftShape = {
  type: z.enum(['lightgbm_liquid', 'tsmixer_liquid', 'ensemble_liquid']),
  model_name: identifier,
  model_version: identifier,
  lineage_id: text,
  /** Where the model came from: the run, its config, the files of bars. */
  lineage: z.strictObject({
    run_id: text,
    config_digest: sha256,
    sources: z
      .array(z.strictObject({ file: text, sha256, venue: text }))
      .min(1)
      .max(1000),
  }),
  feature_payload_schema_version: text,
  feature_version: text,
  data_version: text,
  data_range: span,
  symbols: z.array(text).min(1).max(2000),
  timeframe: z.string().refine(isTimeframe, 'must be a timeframe such as 1h'),
  feature_schema: z
    .array(
      z.strictObject({
        name: text,
        dtype: z.literal('float32'),
        unit: text,
        nullable: z.boolean(),
        source: z.enum(['bars', 'cross_section', 'calendar']),
      }),
    )
    .min(1)
    .max(4096),
  /** The whole spec as `featureSpecJson` writes it, so that a server computes the very same columns. */
  feature_spec: z.record(z.string(), z.unknown()).superRefine(checkSpec),
  label: z.strictObject({
    horizon_bars: z.int().positive(),
    volatility_bars: z.int().positive().nullable(),
  }),
  /** Size of the network's windows; without a network 1 and the number of features. */
  n_tokens: z.int().positive(),
  n_channels: z.int().positive(),
  /** Weight of the trees in the blend: 1 = trees alone, 0 = network alone. */
  ensemble_alpha: z.number().min(0).max(1),
  policies_allowed: z.array(policySchema).min(1).max(20),
  /** The policy that validation promoted; null = none, the artifact is for shadow use only. */
  policy: policySchema.nullable(),
  fold_metrics: z
    .array(
      z.strictObject({
        fold: z.int().nonnegative(),
        from: timeMs,
        to: timeMs,
        metrics: z.record(z.string(), z.number()),
      }),
    )
    .min(1)
    .max(1000),
  windows: z.strictObject({ search: span, validation: span, forward_oos: span }),
  trade: tradeConfigSchema,
  /** configs ever tried on this market when the model was made, this one among them: what its Sharpe is deflated by */
  trial_count: z.int().positive(),
  seed: z.int(),
  code_version: z.strictObject({
    commit: z.string().regex(/^([0-9a-f]{40}|unknown)$/),
    dirty: z.boolean(),
  }),
  /** What trained the model: a summary, and since there are GPUs each part by itself. Serving reads none of it. */
  engine: z.strictObject({
    name: text,
    version: text,
    device: z.enum(['cpu', 'cuda']),
    precision: text,
    parts: z.array(enginePart).min(1).max(2).optional(),
  }),
  created_at: timeMs,
  expires_at: timeMs,
  drift_thresholds: z
    .array(z.strictObject({ feature: text, statistic: text, threshold: z.number().nonnegative() }))
    .max(10_000),
};

/** What the maker of a model says about it; {@link manifestSchema} less what follows from the files. */
export const manifestDraftSchema = z.strictObject(draftShape);

/** The whole manifest. */
export const manifestSchema = z.strictObject({
  ...draftShape,
  manifest_version: z.literal(manifestVersion),
  normalization: z.strictObject({ file: z.literal(artifactFile.normalization), sha256 }),
  train_report_hash: sha256,
  /** every file but this one and the signature, by name */
  files: z
    .array(z.strictObject({ name: fileName, sha256, bytes: z.int().nonnegative() }))
    .min(1)
    .max(100),
});

/** What {@link manifestDraftSchema} lets through. */
export type ManifestDraft = z.infer<typeof manifestDraftSchema>;
/** What {@link manifestSchema} lets through. */
export type Manifest = z.infer<typeof manifestSchema>;

function checkSpec(json: unknown, context: z.RefinementCtx): void {
  try {
    parseFeatureSpec(json);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
}

function isTimeframe(name: string): boolean {
  try {
    return parseTimeframe(name) > 0;
  } catch (error) {
    if (error instanceof SluiceError) return false;
    throw error;
  }
}

/** Parses the bytes of manifest.json; all violations of form and of sense, each with its own code. */
export function validateManifest(bytes: Uint8Array): ParsedDocument<Manifest> {
  const name = artifactFile.manifest;
  const json = parseJson(name, bytes, 'manifest_invalid');
  if (json.value === null) return { value: null, violations: json.violations };
  const version = (json.value.json as { manifest_version?: unknown } | null)?.manifest_version;
  if (typeof version === 'number' && version !== manifestVersion) {
    const message = `${name} has manifest_version ${version}, expected ${manifestVersion}.`;
    return { value: null, violations: [violation('manifest_version_unknown', message)] };
  }
  const parsed = parseCanonical(manifestSchema, name, bytes, 'manifest_invalid');
  return parsed.value === null
    ? parsed
    : { value: parsed.value, violations: senseViolations(parsed.value) };
}

function senseViolations(manifest: Manifest): Violation[] {
  const contradictions = [
    ...featureContradictions(manifest),
    ...policyContradictions(manifest),
    ...timeContradictions(manifest),
    ...repeated('symbols', manifest.symbols),
  ];
  return [
    ...contradictions.map((message) => violation('manifest_inconsistent', message)),
    ...nameViolations(manifest.files.map(({ name }) => name)),
  ];
}

function featureContradictions(manifest: Manifest): string[] {
  const { feature_schema, drift_thresholds } = manifest;
  const spec = parseFeatureSpec(manifest.feature_spec);
  const found: string[] = [];
  if (canonicalJson(featureSchemaOf(spec)) !== canonicalJson(feature_schema)) {
    found.push('feature_schema is not the list of columns of feature_spec');
  }
  if (spec.payloadSchemaVersion !== manifest.feature_payload_schema_version) {
    found.push('feature_spec has another feature_payload_schema_version');
  }
  if (featureVersion(spec) !== manifest.feature_version) {
    found.push(`feature_spec has feature_version ${featureVersion(spec)}`);
  }
  if (spec.entries.some(({ params }) => params.bar_ms !== parseTimeframe(manifest.timeframe))) {
    found.push(`feature_spec is not made for timeframe ${manifest.timeframe}`);
  }
  const known = new Set(feature_schema.map(({ name }) => name));
  const strangers = drift_thresholds.filter(({ feature }) => !known.has(feature));
  found.push(...strangers.map(({ feature }) => `drift_thresholds names no feature: "${feature}"`));
  return found;
}

/** The `feature_schema` of a spec: its columns without how they are computed. */
export function featureSchemaOf(spec: FeatureSpec): Manifest['feature_schema'] {
  return spec.entries.map(({ name, dtype, unit, nullable, source }) => ({
    name,
    dtype,
    unit,
    nullable,
    source,
  }));
}

/** What a type of model is made of. */
export function partsOf(type: Manifest['type']): {
  readonly trees: boolean;
  readonly network: boolean;
} {
  return { trees: type !== 'tsmixer_liquid', network: type !== 'lightgbm_liquid' };
}

function policyContradictions(manifest: Manifest): string[] {
  const { type, ensemble_alpha, policies_allowed, policy } = manifest;
  const found = repeated('policies_allowed', policies_allowed);
  const allowed = policiesOf(manifest);
  const same = allowed.every((wanted) => policies_allowed.includes(wanted));
  if (!same || policies_allowed.some((name) => !allowed.includes(name))) {
    found.push(`type ${type} allows ${allowed.join(', ')}, found ${policies_allowed.join(', ')}`);
  }
  const { trees, network } = partsOf(type);
  const alpha = trees && network ? ensemble_alpha : trees ? 1 : 0;
  if (ensemble_alpha !== alpha) {
    found.push(`type ${type} has ensemble_alpha ${alpha}, found ${ensemble_alpha}`);
  }
  if (policy !== null && !policies_allowed.includes(policy)) {
    found.push(`policy ${policy} is not among policies_allowed`);
  }
  return found;
}

/** The policies that a type of model can answer, all of them. */
function policiesOf({ type, ensemble_alpha }: Manifest): readonly Policy[] {
  const { trees, network } = partsOf(type);
  if (!network) return ['tabular_only'];
  return trees ? ['tabular_only', 'nn_only', blendPolicy(ensemble_alpha)] : ['nn_only'];
}

function timeContradictions({ windows, data_range, created_at, expires_at }: Manifest): string[] {
  const found: string[] = [];
  const { search, validation, forward_oos } = windows;
  if (search.to > validation.from || validation.to > forward_oos.from) {
    found.push('windows overlap or are not in the order search, validation, forward_oos');
  }
  if (search.from < data_range.from || forward_oos.to > data_range.to) {
    found.push('windows reach beyond data_range');
  }
  if (created_at >= expires_at) found.push('expires_at is not after created_at');
  return found;
}

function repeated(field: string, items: readonly string[]): string[] {
  const twice = items.filter((item, i) => items.indexOf(item) !== i);
  return twice.map((item) => `${field} holds "${item}" twice`);
}
