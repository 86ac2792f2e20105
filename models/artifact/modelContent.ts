// The model inside an artifact: its files interpreted, held against each other and against the manifest, and its golden
// rows replayed.

import { SluiceError } from '../../core/index.ts';
import {
  type TreeEnsemble,
  type TsmixerNetwork,
  type TsmixerWeights,
  treeScorer,
  tsmixerOutputs,
} from '../score/index.ts';
import {
  type GoldenScores,
  goldenNetworkMismatches,
  goldenSchema,
  goldenScores,
  goldenShapeViolations,
  goldenTreeMismatches,
} from './golden.ts';
import { artifactFile, type Manifest, partsOf } from './manifest.ts';
import { type Normalization, normalizationSchema } from './normalization.ts';
import { type OnnxKind, refusedContent } from './onnxContent.ts';
import { type ParsedDocument, parseCanonical, parseJson } from './strictJson.ts';
import { decodeTreesOnnx } from './treesOnnx.ts';
import { decodeTsmixerOnnx } from './tsmixerOnnx.ts';
import { type Violation, violation } from './violations.ts';

/** What the files of a model hold. */
export interface ModelContent {
  /** decoded from `tabular.onnx`; null for a network alone */
  readonly trees: TreeEnsemble | null;
  /** decoded from `nn.onnx` and `normalization.json`; null for trees alone */
  readonly network: TsmixerNetwork | null;
  readonly golden: GoldenScores;
}

/** The files of a type of model, besides the manifest and the signature. */
export function modelFiles(type: Manifest['type']): readonly string[] {
  const { trees, network } = partsOf(type);
  return [
    artifactFile.golden,
    artifactFile.normalization,
    artifactFile.trainReport,
    ...(trees ? [artifactFile.tabular] : []),
    ...(network ? [artifactFile.network] : []),
  ];
}

/** The files as they were read; null = not there, not signed or not valid. */
interface Parts {
  readonly trees: TreeEnsemble | null;
  readonly weights: TsmixerWeights | null;
  readonly channels: TsmixerNetwork['channels'] | null;
  readonly golden: GoldenScores | null;
}

/**
 * Interprets those files of a model whose bytes are signed.
 * @param verified names of files whose bytes the signature covers
 * @param manifest null: it is broken, and the files are held against each other only
 */
export function readModel(
  files: ReadonlyMap<string, Buffer>,
  verified: ReadonlySet<string>,
  manifest: Manifest | null,
): ParsedDocument<ModelContent> {
  const needed = new Set(manifest === null ? verified : modelFiles(manifest.type));
  const use = <T>(name: string, read: (bytes: Buffer) => ParsedDocument<T>): ParsedDocument<T> =>
    verified.has(name) && needed.has(name)
      ? read(files.get(name)!)
      : { value: null, violations: [] };
  const normalization = use(artifactFile.normalization, readNormalization);
  const report = use(artifactFile.trainReport, readReport);
  const trees = use(artifactFile.tabular, (bytes) => readGraph(bytes, 'trees', decodeTreesOnnx));
  const network = use(artifactFile.network, (bytes) =>
    readGraph(bytes, 'network', decodeTsmixerOnnx),
  );
  const golden = use(artifactFile.golden, readGolden);
  const read = [normalization, report, trees, network, golden];
  return join(
    {
      trees: trees.value,
      weights: network.value,
      channels: normalization.value?.channels ?? null,
      golden: golden.value,
    },
    read.flatMap(({ violations }) => violations),
    manifest,
  );
}

/** Holds the parts against each other and the manifest, and replays the golden rows where they fit. */
function join(
  parts: Parts,
  unread: readonly Violation[],
  manifest: Manifest | null,
): ParsedDocument<ModelContent> {
  const { trees, weights, channels, golden } = parts;
  const misfits = channelViolations(parts, manifest);
  const strangers = goldenViolations(parts, manifest);
  const violations = [...unread, ...misfits, ...sizeViolations(parts, manifest), ...strangers];
  if (golden === null) return { value: null, violations };
  const network =
    weights !== null && channels !== null && misfits.length === 0 ? { weights, channels } : null;
  if (strangers.length === 0) violations.push(...replay(golden, trees, network));
  return { value: { trees, network, golden }, violations };
}

function readNormalization(bytes: Buffer): ParsedDocument<Normalization> {
  const name = artifactFile.normalization;
  return parseCanonical(normalizationSchema, name, bytes, 'normalization_invalid');
}

const readReport = (bytes: Buffer): ParsedDocument<unknown> =>
  parseJson(artifactFile.trainReport, bytes, 'json_invalid');

function readGraph<T>(
  bytes: Buffer,
  kind: OnnxKind,
  decode: (bytes: Buffer) => T,
): ParsedDocument<T> {
  const refused = refusedContent(bytes, kind);
  if (refused.length > 0) return { value: null, violations: refused };
  try {
    return { value: decode(bytes), violations: [] };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { value: null, violations: [violation('onnx_invalid', error.message)] };
  }
}

function readGolden(bytes: Buffer): ParsedDocument<GoldenScores> {
  const parsed = parseCanonical(goldenSchema, artifactFile.golden, bytes, 'golden_invalid');
  if (parsed.value === null) return { value: null, violations: parsed.violations };
  const violations = goldenShapeViolations(parsed.value);
  return violations.length > 0
    ? { value: null, violations }
    : { value: goldenScores(parsed.value), violations };
}

/** Channels are those of the network and among the features; trees take features as they are. */
function channelViolations({ channels, weights }: Parts, manifest: Manifest | null): Violation[] {
  if (channels === null) return [];
  const names = channels.map(({ name }) => name);
  const refused = (what: string) =>
    violation('normalization_invalid', `${artifactFile.normalization} ${what}.`);
  if (manifest !== null && !partsOf(manifest.type).network) {
    return names.length === 0 ? [] : [refused('has channels, but trees take features as they are')];
  }
  const found: string[] = [];
  if (weights !== null && names.length !== weights.shape.nChannels) {
    found.push(`has ${names.length} channels, the network ${weights.shape.nChannels}`);
  }
  if (new Set(names).size < names.length) found.push('names a channel twice');
  const known = new Set(manifest?.feature_schema.map(({ name }) => name) ?? names);
  const strangers = names.filter((name) => !known.has(name));
  if (strangers.length > 0) found.push(`names no features: "${strangers.join('", "')}"`);
  return found.map(refused);
}

/** Graphs have the sizes that the manifest gives, and a network gives one number. */
function sizeViolations({ trees, weights }: Parts, manifest: Manifest | null): Violation[] {
  const found: Violation[] = [];
  const { tabular, network } = artifactFile;
  if (trees !== null && manifest !== null) {
    const width = manifest.feature_schema.length;
    if (trees.featureCount !== width) {
      const message = `${tabular} takes ${trees.featureCount} features, manifest.json lists ${width}.`;
      found.push(violation('manifest_inconsistent', message));
    }
  }
  if (weights === null) return found;
  const { nTokens, nChannels } = weights.shape;
  const { n_tokens = nTokens, n_channels = nChannels } = manifest ?? {};
  if (n_tokens !== nTokens || n_channels !== nChannels) {
    const message = `${network} takes ${nTokens} tokens x ${nChannels} channels, manifest.json says ${n_tokens} x ${n_channels}.`;
    found.push(violation('manifest_inconsistent', message));
  }
  const outputs = tsmixerOutputs(weights.shape);
  if (outputs !== 1) {
    const message = `${network} gives ${outputs} numbers for a window, expected one score.`;
    found.push(violation('onnx_invalid', message));
  }
  return found;
}

/** Golden rows have the parts of the type and the sizes of the graphs. */
function goldenViolations(
  { golden, trees, weights }: Parts,
  manifest: Manifest | null,
): Violation[] {
  if (golden === null) return [];
  const { rows, features, tabular, sequences, nn } = golden;
  const found: string[] = [];
  const wanted = manifest === null ? null : partsOf(manifest.type);
  if (wanted !== null && wanted.trees !== (tabular !== null)) {
    found.push(`scores.tabular ${wanted.trees ? 'are missing' : 'without trees'}`);
  }
  if (wanted !== null && wanted.network !== (nn !== null)) {
    found.push(`scores.nn ${wanted.network ? 'are missing' : 'without a network'}`);
  }
  if (trees !== null && tabular !== null && features.length !== rows * trees.featureCount) {
    found.push(`its rows have not ${trees.featureCount} features`);
  }
  if (weights !== null && sequences !== null) {
    const { nTokens, nChannels } = weights.shape;
    if (sequences.length !== rows * nTokens * nChannels) {
      found.push(`its sequences have not ${nTokens} tokens x ${nChannels} channels`);
    }
  }
  return found.map((what) => violation('golden_invalid', `golden.json: ${what}.`));
}

function replay(
  golden: GoldenScores,
  trees: TreeEnsemble | null,
  network: TsmixerNetwork | null,
): Violation[] {
  const found: Violation[] = [];
  if (trees !== null) found.push(...goldenTreeMismatches(golden, treeScorer(trees)));
  if (network !== null && tsmixerOutputs(network.weights.shape) === 1) {
    found.push(...goldenNetworkMismatches(golden, network));
  }
  return found;
}
