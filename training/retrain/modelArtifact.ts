// A fitted model as a signed artifact: manifest, golden rows, training report. Everything in it follows from
// data, config, code and as_of, so equal inputs give an equal root digest.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CodeVersion, dayMs, isoTime, type Policy, SluiceError } from '../../core/index.ts';
import type { Dataset } from '../../data/dataset/index.ts';
import { featureSpecJson } from '../../data/feature/index.ts';
import {
  buildArtifact,
  featureSchemaOf,
  type ManifestDraft,
  openArtifact,
  publicKeyOf,
  publishArtifact,
} from '../../models/artifact/index.ts';
import type { GbdtModel } from '../gbdt/index.ts';
import type { RetrainConfig } from './config.ts';

const goldenRows = 64;

/** What every artifact of a run has in common. */
export interface RunIdentity {
  readonly config: RetrainConfig;
  readonly configDigest: string;
  readonly code: CodeVersion;
  readonly lineageId: string;
  readonly asOf: number;
  readonly engineVersion: string;
}

/** One model of the run. */
export interface ModelToSign {
  readonly name: string;
  readonly model: GbdtModel;
  readonly dataset: Dataset;
  readonly windows: ManifestDraft['windows'];
  readonly foldMetrics: ManifestDraft['fold_metrics'];
  readonly promotedPolicy: Policy | null;
  readonly trialCount: number;
  readonly trainReport: unknown;
  readonly validDays: number;
}

/** A signed artifact in its place. */
export interface PlacedArtifact {
  /** below the folder of everything produced */
  readonly path: string;
  readonly digest: string;
  readonly manifest: ManifestDraft;
}

/** Version of a model: the day it was made as of, and what it was made from. */
export function modelVersion({ asOf, lineageId }: RunIdentity): string {
  return `${isoTime(asOf).slice(0, 10).replaceAll('-', '')}-${lineageId.slice(0, 10)}`;
}

/**
 * Signs a model and publishes it; the same artifact already in place is left as it is.
 * @param out folder of everything produced
 * @throws SluiceError `internal` if the same inputs gave other bytes before: a result that cannot be reproduced
 */
export async function signModel(
  out: string,
  identity: RunIdentity,
  toSign: ModelToSign,
  privateKeyPem: string,
): Promise<PlacedArtifact> {
  const manifest = draftManifest(identity, toSign);
  const built = buildArtifact({
    manifest,
    trees: toSign.model.trees,
    trainReport: toSign.trainReport,
    golden: goldenOf(toSign),
    privateKeyPem,
    nowMs: identity.asOf,
  });
  const path = join('models', manifest.model_name, manifest.model_version);
  const place = join(out, path);
  if (!existsSync(place)) await publishArtifact(place, built);
  else requireSame(place, built.digest, publicKeyOf(privateKeyPem), identity.asOf);
  return { path, digest: built.digest, manifest };
}

function requireSame(place: string, digest: string, publicKeyPem: string, nowMs: number): void {
  const verdict = openArtifact(place, { publicKeysPem: [publicKeyPem], nowMs });
  const found = verdict.ok ? verdict.artifact.digest : verdict.digest;
  if (verdict.ok && found === digest) return;
  throw new SluiceError(
    'internal',
    verdict.ok
      ? `${place} was made from the same data, config and code, yet has digest ${found} where ${digest} came out now; keep both and find what differs.`
      : `${place} exists but does not open: ${verdict.violations.map((v) => v.message).join(' ')} Remove it and run again.`,
    { place, expected: digest, found },
  );
}

function goldenOf({ model, dataset }: ModelToSign) {
  const width = model.featureCount;
  const rows = Math.min(goldenRows, dataset.rows);
  const features = new Float32Array(rows * width);
  for (let i = 0; i < rows; i += 1) {
    const row = Math.floor((i * dataset.rows) / rows);
    features.set(dataset.features.subarray(row * width, (row + 1) * width), i * width);
  }
  return { features, rows, tabular: model.predict(features, rows) };
}

function draftManifest(identity: RunIdentity, toSign: ModelToSign): ManifestDraft {
  const { config, code, asOf } = identity;
  const { dataset, name } = toSign;
  const { panel } = dataset;
  const version = modelVersion(identity);
  return {
    type: 'lightgbm_liquid',
    model_name: name,
    model_version: version,
    lineage_id: identity.lineageId,
    lineage: {
      run_id: `${config.name}-${version}`,
      config_digest: identity.configDigest,
      sources: panel.sources.map(({ file, sha256, venue }) => ({ file, sha256, venue })),
    },
    feature_payload_schema_version: dataset.featureSpec.payloadSchemaVersion,
    feature_version: dataset.featureVersion,
    data_version: panel.dataVersion,
    data_range: { from: panel.openMs[0]!, to: panel.openMs.at(-1)! + panel.timeframeMs },
    symbols: [...panel.symbols],
    timeframe: config.data.timeframe,
    feature_schema: featureSchemaOf(dataset.featureSpec),
    feature_spec: featureSpecJson(dataset.featureSpec),
    label: config.label,
    n_tokens: 1,
    n_channels: dataset.featureSpec.entries.length,
    ensemble_alpha: 1,
    policies_allowed: ['tabular_only'],
    policy: toSign.promotedPolicy,
    fold_metrics: toSign.foldMetrics,
    windows: {
      search: spanOf(toSign.windows.search),
      validation: spanOf(toSign.windows.validation),
      forward_oos: spanOf(toSign.windows.forward_oos),
    },
    trade: config.trade,
    trial_count: toSign.trialCount,
    seed: config.seed,
    code_version: { commit: code.commit, dirty: code.dirty },
    engine: {
      name: 'lightgbm',
      version: identity.engineVersion,
      device: 'cpu',
      precision: 'float64',
    },
    created_at: asOf,
    expires_at: asOf + toSign.validDays * dayMs,
    drift_thresholds: [],
  };
}

const spanOf = ({ from, to }: { from: number; to: number }) => ({ from, to });
