// A fitted model as a signed artifact: manifest, golden rows, training report. Everything in it follows from
// data, config, code and as_of, so equal inputs give an equal root digest.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  blendPolicy,
  type CodeVersion,
  dayMs,
  isoTime,
  type Policy,
  SluiceError,
} from '../../core/index.ts';
import { createSequenceView, type Dataset, gatherWindow } from '../../data/dataset/index.ts';
import { featureSpecJson } from '../../data/feature/index.ts';
import {
  buildArtifact,
  featureSchemaOf,
  type ManifestDraft,
  openArtifact,
  publicKeyOf,
  publishArtifact,
} from '../../models/artifact/index.ts';
import { sequenceScorer, type TsmixerNetwork } from '../../models/score/index.ts';
import type { GbdtEngine, GbdtModel } from '../gbdt/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import type { RetrainConfig } from './config.ts';
import { engineReport } from './engine.ts';
import { rowsWithWindow } from './sequences.ts';

const goldenRows = 64;

/** What every artifact of a run has in common. */
export interface RunIdentity {
  readonly config: RetrainConfig;
  readonly configDigest: string;
  readonly code: CodeVersion;
  readonly lineageId: string;
  readonly asOf: number;
  /** of LightGBM */
  readonly engineVersion: string;
  /** which engine trained the network; null = no network */
  readonly networkEngine: TsmixerEngine | null;
}

/** One model of the run. */
export interface ModelToSign {
  readonly name: string;
  /** null for a network alone */
  readonly trees: GbdtModel | null;
  /** null for trees alone */
  readonly network: TsmixerNetwork | null;
  /** weight of the trees in the blend: 1 without a network, 0 without trees */
  readonly alpha: number;
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
    trees: toSign.trees?.trees ?? null,
    network: toSign.network,
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

/** Rows from the whole of the data, each with its window where there is a network. */
function goldenOf({ trees, network, dataset }: ModelToSign) {
  const width = dataset.featureSpec.entries.length;
  const view = network === null ? null : viewOf(dataset, network);
  const all = Int32Array.from({ length: dataset.rows }, (_, row) => row);
  const candidates = view === null ? all : rowsWithWindow(view, all);
  const rows = Math.min(goldenRows, candidates.length);
  const features = new Float32Array(rows * width);
  const sequences = view && new Float32Array(rows * view.nTokens * view.nChannels);
  for (let i = 0; i < rows; i += 1) {
    const row = candidates[Math.floor((i * candidates.length) / rows)]!;
    features.set(dataset.features.subarray(row * width, (row + 1) * width), i * width);
    if (view && sequences) gatherWindow(view, row, sequences, i * view.nTokens * view.nChannels);
  }
  return {
    features,
    rows,
    tabular: trees === null ? null : trees.predict(features, rows),
    sequences,
    nn: network && sequences && sequenceScorer(network).score(sequences, rows),
  };
}

function viewOf(dataset: Dataset, { channels, weights }: TsmixerNetwork) {
  const names = channels.map(({ name }) => name);
  return createSequenceView(dataset, names, weights.shape.nTokens);
}

function draftManifest(identity: RunIdentity, toSign: ModelToSign): ManifestDraft {
  const { config, code, asOf } = identity;
  const { dataset, name } = toSign;
  const { panel } = dataset;
  const version = modelVersion(identity);
  return {
    type: typeOf(toSign),
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
    n_tokens: toSign.network?.weights.shape.nTokens ?? 1,
    n_channels: toSign.network?.weights.shape.nChannels ?? dataset.featureSpec.entries.length,
    ensemble_alpha: toSign.alpha,
    policies_allowed: policiesOf(toSign),
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
    engine: engineOf(identity, toSign),
    created_at: asOf,
    expires_at: asOf + toSign.validDays * dayMs,
    drift_thresholds: [],
  };
}

function typeOf({ trees, network }: ModelToSign): ManifestDraft['type'] {
  if (network === null) return 'lightgbm_liquid';
  return trees === null ? 'tsmixer_liquid' : 'ensemble_liquid';
}

function policiesOf({ trees, network, alpha }: ModelToSign): Policy[] {
  if (network === null) return ['tabular_only'];
  return trees === null ? ['nn_only'] : ['tabular_only', 'nn_only', blendPolicy(alpha)];
}

type Engine = ManifestDraft['engine'];
type EnginePart = NonNullable<Engine['parts']>[number];

function engineOf(identity: RunIdentity, { trees, network }: ModelToSign): Engine {
  const { networkEngine } = identity;
  const parts = [
    ...(trees === null ? [] : [treesPart(identity, trees.engine)]),
    ...(network === null || networkEngine === null ? [] : [networkPart(networkEngine)]),
  ];
  const joined = (key: 'name' | 'version' | 'precision') =>
    parts.map((part) => part[key]).join('+');
  return {
    name: joined('name'),
    version: joined('version'),
    device: parts.some(({ device }) => device === 'cuda') ? 'cuda' : 'cpu',
    precision: joined('precision'),
    parts,
  };
}

/** LightGBM adds up histograms in float64; on a GPU first in float32, in no fixed order. */
const treesPart = ({ engineVersion }: RunIdentity, engine: GbdtEngine): EnginePart => ({
  part: 'trees',
  name: 'lightgbm',
  version: engineVersion,
  device: engine.device,
  device_name: null,
  precision: engine.device === 'cpu' ? 'float64' : 'float32',
  driver: null,
  reproducible: engine.reproducible,
});

/** The engine of networks sums in float32; its products may be less precise. */
function networkPart(engine: TsmixerEngine): EnginePart {
  const { name, precision, ...rest } = engineReport(engine);
  return {
    part: 'network',
    name: `tsmixer_${name}`,
    ...rest,
    precision: precision === 'fp32' ? 'float32' : precision,
    reproducible: true,
  };
}

const spanOf = ({ from, to }: { from: number; to: number }) => ({ from, to });
