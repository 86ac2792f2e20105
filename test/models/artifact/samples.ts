// Ensembles, rows and a whole artifact to test with, all from seeds.

import {
  canonicalJson,
  createRandom,
  hourMs,
  type Random,
  sha256Hex,
} from '../../../core/index.ts';
import {
  barFeaturesBaseline,
  featureSpecJson,
  featureVersion,
} from '../../../data/feature/index.ts';
import {
  type ArtifactInput,
  artifactFile,
  buildArtifact,
  type FileMap,
  featureSchemaOf,
  type GoldenScores,
  generateKeyPair,
  type Manifest,
  type ManifestDraft,
  type OpenOptions,
  openFiles,
  signatureFile,
  signFiles,
} from '../../../models/artifact/index.ts';
import {
  missingType,
  sequenceScorer,
  type Tree,
  type TreeEnsemble,
  treeScorer,
} from '../../../models/score/index.ts';
import { randomNetwork, randomWindows } from '../score/tsmixerSamples.ts';

export const nowMs = Date.UTC(2025, 0, 15);

const spec = barFeaturesBaseline({ symbolCount: 1, timeframeMs: hourMs });
export const featureCount = spec.entries.length;

/** How a feature is split everywhere in a random ensemble. */
export type FeatureKind = { readonly missing: number } | 'category';

/** A kind for each feature, all of them in turn. */
export const everyKind = (count: number): FeatureKind[] =>
  Array.from({ length: count }, (_, i) => {
    const kinds: FeatureKind[] = [
      ...Object.values(missingType).map((missing) => ({ missing })),
      'category',
    ];
    return kinds[i % kinds.length]!;
  });

/** Trees of random shape; leaves are multiples of 2^-10, so that sums are exact. */
export function randomEnsemble(
  random: Random,
  { kinds, trees, maxNodes }: { kinds: readonly FeatureKind[]; trees: number; maxNodes: number },
): TreeEnsemble {
  return {
    featureCount: kinds.length,
    trees: Array.from({ length: trees }, () =>
      randomTree(random, kinds, random.integer(maxNodes + 1)),
    ),
  };
}

function randomTree(random: Random, kinds: readonly FeatureKind[], nodes: number): Tree {
  const { left, right } = randomShape(random, nodes);
  const splitFeature = Int32Array.from({ length: nodes }, () => random.integer(kinds.length));
  const kindAt = (i: number) => kinds[splitFeature[i]!]!;
  const category = (i: number) => kindAt(i) === 'category';
  const cover = () => 1 + random.integer(1e6);
  return {
    splitFeature,
    threshold: Float64Array.from(splitFeature, (_, i) =>
      category(i) ? i : randomThreshold(random),
    ),
    left,
    right,
    defaultLeft: Uint8Array.from(splitFeature, (_, i) => (category(i) ? 0 : random.integer(2))),
    missing: Uint8Array.from(splitFeature, (_, i) => {
      const kind = kindAt(i);
      return kind === 'category' ? 2 : kind.missing;
    }),
    categories: Array.from(splitFeature, (_, i) => (category(i) ? randomCategories(random) : null)),
    nodeCover: Float64Array.from(splitFeature, cover),
    leafValue: Float64Array.from({ length: nodes + 1 }, () => (random.integer(4097) - 2048) / 1024),
    leafCover: Float64Array.from({ length: nodes + 1 }, cover),
  };
}

/** Splits a random leaf again and again, as LightGBM grows a tree. */
function randomShape(random: Random, nodes: number) {
  const left = new Int32Array(nodes);
  const right = new Int32Array(nodes);
  const slots: { side: Int32Array; at: number }[] = [];
  for (let node = 0; node < nodes; node += 1) {
    const slot = node === 0 ? undefined : slots.splice(random.integer(slots.length), 1)[0]!;
    if (slot !== undefined) slot.side[slot.at] = node;
    slots.push({ side: left, at: node }, { side: right, at: node });
  }
  slots.forEach(({ side, at }, leaf) => {
    side[at] = ~leaf;
  });
  return { left, right };
}

const thresholds = [
  0,
  Math.fround(1e-35),
  -Math.fround(1e-35),
  0.5,
  -0.5,
  1,
  1e300,
  -1e300,
  Number.POSITIVE_INFINITY,
];

const randomThreshold = (random: Random): number =>
  random.integer(2) === 0 ? thresholds[random.integer(thresholds.length)]! : random.normal();

function randomCategories(random: Random): number[] {
  const range = [4, 40, 400][random.integer(3)]!;
  const drawn = Array.from({ length: 1 + random.integer(20) }, () => random.integer(range));
  return [...new Set(drawn)].sort((a, b) => a - b);
}

const oddities = [
  ...[Number.NaN, 0, -0, 1e-35, -1e-35, 1e-36, -1e-40, 1.1e-35, -1.1e-35, 0.5, -0.5, 1, -1],
  ...[3.7, -3.7, 63, 64, 65, 127.9, 399, 1e9, 3e9, -3e9, 1e30, -1e30],
  ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];

/** [rows*features] float32: odd values, small integers, normal numbers. */
export function randomRows(random: Random, rows: number, features: number): Float32Array {
  return Float32Array.from({ length: rows * features }, () => {
    const kind = random.integer(3);
    if (kind === 0) return oddities[random.integer(oddities.length)]!;
    return kind === 1 ? random.integer(420) - 10 : random.normal();
  });
}

/** A manifest that contradicts nothing. */
export function sampleDraft(): ManifestDraft {
  const day = (n: number) => Date.UTC(2024, 0, n);
  return {
    type: 'lightgbm_liquid',
    model_name: 'liquid_test',
    model_version: '1',
    lineage_id: 'lineage-1',
    lineage: {
      run_id: 'run-1',
      config_digest: sha256Hex('config'),
      sources: [{ file: 'bars.csv.gz', sha256: sha256Hex('bars'), venue: 'binance_spot' }],
    },
    feature_payload_schema_version: spec.payloadSchemaVersion,
    feature_version: featureVersion(spec),
    data_version: sha256Hex('data'),
    data_range: { from: day(1), to: day(300) },
    symbols: ['BTCUSDT', 'ETHUSDT'],
    timeframe: '1h',
    feature_schema: featureSchemaOf(spec),
    feature_spec: featureSpecJson(spec),
    label: { horizon_bars: 12, volatility_bars: 168 },
    n_tokens: 1,
    n_channels: featureCount,
    ensemble_alpha: 1,
    policies_allowed: ['tabular_only'],
    policy: 'tabular_only',
    fold_metrics: [{ fold: 0, from: day(50), to: day(60), metrics: { ic: 0.03 } }],
    windows: {
      search: { from: day(1), to: day(100) },
      validation: { from: day(110), to: day(200) },
      forward_oos: { from: day(210), to: day(300) },
    },
    trade: {
      sizing: {
        gain: 3,
        entry_score: 0.1,
        exit_score: 0.05,
        smoothing: 0.5,
        rebalance_band: 0.05,
        max_weight: 0.5,
      },
      cost: {
        fee_bps: { maker: 1, taker: 4 },
        maker_frac: 0,
        half_spread_bps: 0.5,
        slippage: { coefficient_bps: 10, exponent: 0.5 },
        funding_bps_8h: 0,
      },
      constraint: {
        max_gross: 1,
        max_turnover_per_step: 1,
        min_notional: 10,
        lot_size: 0,
        max_participation: 0.01,
      },
      risk: { max_drawdown: 0.3, daily_loss: 0.1 },
      initial_equity: 100_000,
    },
    trial_count: 1,
    seed: 7,
    code_version: { commit: 'unknown', dirty: true },
    engine: { name: 'lightgbm', version: '4.1.0.99', device: 'cpu', precision: 'float64' },
    created_at: day(300),
    expires_at: day(300) + 365 * 24 * hourMs,
    drift_thresholds: [{ feature: spec.entries[0]!.name, statistic: 'psi', threshold: 0.2 }],
  };
}

export const keys = generateKeyPair();

/** Everything that {@link buildArtifact} takes, of a model that has trees and golden rows for them. */
export interface TreesInput extends ArtifactInput {
  readonly trees: TreeEnsemble;
  readonly golden: GoldenScores & { readonly tabular: Float64Array };
}

/** Everything that {@link buildArtifact} takes for trees alone. */
export function sampleInput(seed = 1): TreesInput {
  const random = createRandom(seed);
  const trees = randomEnsemble(random, { kinds: everyKind(featureCount), trees: 5, maxNodes: 12 });
  const rows = 32;
  const features = randomRows(random, rows, featureCount).map((x) =>
    Math.abs(x) === Number.POSITIVE_INFINITY ? 0 : x,
  );
  const tabular = treeScorer(trees).score(features, rows);
  return {
    manifest: sampleDraft(),
    trees,
    network: null,
    trainReport: { folds: [], note: 'a report' },
    golden: { features, rows, tabular, sequences: null, nn: null },
    privateKeyPem: keys.privateKeyPem,
    nowMs,
  };
}

/** A network over the first features, with windows of which some values are missing and their scores. */
function sampleNetwork(seed: number, rows: number) {
  const random = createRandom(seed).fork('network');
  const nChannels = 3;
  const { weights, channels } = randomNetwork(random, { nTokens: 5, nChannels, blocks: 2 });
  const names = spec.entries.slice(0, nChannels).map(({ name }) => name);
  const network = {
    weights,
    channels: channels.map((channel, c) => ({ ...channel, name: names[c]! })),
  };
  const sequences = randomWindows(random, weights.shape, rows);
  sequences[7] = Number.NaN;
  return { network, sequences, nn: sequenceScorer(network).score(sequences, rows) };
}

/** Everything that {@link buildArtifact} takes for a network alone. */
export function networkInputOf(seed = 1): ArtifactInput {
  const input = sampleInput(seed);
  const { network, sequences, nn } = sampleNetwork(seed, input.golden.rows);
  return {
    ...input,
    manifest: {
      ...input.manifest,
      type: 'tsmixer_liquid',
      n_tokens: network.weights.shape.nTokens,
      n_channels: network.weights.shape.nChannels,
      ensemble_alpha: 0,
      policies_allowed: ['nn_only'],
      policy: 'nn_only',
    },
    trees: null,
    network,
    golden: { ...input.golden, tabular: null, sequences, nn },
  };
}

/** Everything that {@link buildArtifact} takes for trees and a network. */
export function ensembleInputOf(seed = 1): TreesInput {
  const { trees, golden } = sampleInput(seed);
  const input = networkInputOf(seed);
  return {
    ...input,
    manifest: {
      ...input.manifest,
      type: 'ensemble_liquid',
      ensemble_alpha: 0.25,
      policies_allowed: ['tabular_only', 'nn_only', 'blend_alpha_0.25'],
      policy: 'blend_alpha_0.25',
    },
    trees,
    golden: { ...input.golden, tabular: golden.tabular },
  };
}

/** A whole artifact that opens: trees alone. */
export const sampleArtifact = (seed = 1) => buildArtifact(sampleInput(seed));
/** A whole artifact that opens: a network alone. */
export const networkArtifact = (seed = 1) => buildArtifact(networkInputOf(seed));
/** A whole artifact that opens: trees and a network. */
export const ensembleArtifact = (seed = 1) => buildArtifact(ensembleInputOf(seed));

/** Files with some replaced or (null) left out, signed anew; the manifest stays as it is. */
export function resigned(
  files: FileMap,
  changes: Readonly<Record<string, Buffer | null>>,
): FileMap {
  const changed = new Map(files);
  for (const [name, bytes] of Object.entries(changes)) {
    if (bytes === null) changed.delete(name);
    else changed.set(name, bytes);
  }
  changed.set(signatureFile, signFiles(changed, 'liquid_test_1', keys.privateKeyPem).bundle);
  return changed;
}

/** Like {@link resigned}, with the manifest following the new content: only the content can be at fault. */
export function remade(files: FileMap, changes: Readonly<Record<string, Buffer>>): FileMap {
  const manifest = manifestOf(files);
  for (const [name, bytes] of Object.entries(changes)) {
    const file = manifest.files.find((entry) => entry.name === name)!;
    Object.assign(file, { sha256: sha256Hex(bytes), bytes: bytes.length });
    if (name === artifactFile.normalization) manifest.normalization.sha256 = sha256Hex(bytes);
    if (name === artifactFile.trainReport) manifest.train_report_hash = sha256Hex(bytes);
  }
  return resigned(files, { ...changes, [artifactFile.manifest]: canonical(manifest) });
}

export const manifestOf = (files: FileMap): Manifest =>
  JSON.parse(files.get(artifactFile.manifest)!.toString());

export const canonical = (value: unknown): Buffer => Buffer.from(canonicalJson(value));

/** Codes of all violations of files in memory; none = it opens. */
export function violationCodes(files: FileMap, options: Partial<OpenOptions> = {}): string[] {
  const verdict = openFiles(files, { publicKeysPem: [keys.publicKeyPem], nowMs, ...options });
  return verdict.ok ? [] : verdict.violations.map(({ code }) => code);
}
