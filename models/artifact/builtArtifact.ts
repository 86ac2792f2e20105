// Builds and publishes artifacts: the only thing that crosses from training to serving.

import { join } from 'node:path';
import {
  canonicalJson,
  publishFolder,
  SluiceError,
  sha256Hex,
  writeFileAtomic,
} from '../../core/index.ts';
import type { TreeEnsemble, TsmixerNetwork } from '../score/index.ts';
import { type GoldenScores, goldenDocument } from './golden.ts';
import { artifactFile, type Manifest, type ManifestDraft, manifestVersion } from './manifest.ts';
import { normalizationOf } from './normalization.ts';
import { openFiles } from './openedArtifact.ts';
import { type FileMap, publicKeyOf, signatureFile, signFiles } from './signature.ts';
import { encodeTreesOnnx } from './treesOnnx.ts';
import { encodeTsmixerOnnx } from './tsmixerOnnx.ts';
import { refusal } from './violations.ts';

/** What an artifact is made of. */
export interface ArtifactInput {
  readonly manifest: ManifestDraft;
  /** null for a network alone */
  readonly trees: TreeEnsemble | null;
  /** null for trees alone */
  readonly network: TsmixerNetwork | null;
  /** any JSON value: folds, windows, metrics, seeds, lineage */
  readonly trainReport: unknown;
  /** at least 32 rows with the trainer's own scores, for every part that the model has */
  readonly golden: GoldenScores;
  readonly privateKeyPem: string;
  readonly nowMs: number;
}

/** All files of an artifact, the signature among them, and the root digest, which is equal for equal input. */
export interface BuiltArtifact {
  readonly files: FileMap;
  readonly digest: string;
}

/**
 * Makes and signs an artifact, and opens it as a check.
 * @throws SluiceError `input_invalid` with `context.violations` if it would not open: golden scores that the model does
 *   not reproduce, a manifest that contradicts itself, no P-256 key, trees that cannot be written
 */
export function buildArtifact(input: ArtifactInput): BuiltArtifact {
  const files = contentFiles(input);
  files.set(artifactFile.manifest, json(completeManifest(input.manifest, files)));
  const { model_name, model_version } = input.manifest;
  const { bundle, digest } = signFiles(
    files,
    `${model_name}_${model_version}`,
    input.privateKeyPem,
  );
  files.set(signatureFile, bundle);
  const publicKeysPem = [publicKeyOf(input.privateKeyPem)];
  const opened = openFiles(files, { publicKeysPem, nowMs: input.nowMs });
  if (opened.ok) return { files, digest };
  throw new SluiceError('input_invalid', refusal('The new artifact', opened.violations), {
    violations: opened.violations,
  });
}

function contentFiles({ trees, network, golden, trainReport }: ArtifactInput): Map<string, Buffer> {
  const files = new Map<string, Buffer>([
    [artifactFile.golden, json(goldenDocument(golden, network?.weights.shape.nChannels ?? 1))],
    [artifactFile.normalization, json(normalizationOf(network))],
    [artifactFile.trainReport, json(trainReport)],
  ]);
  if (trees !== null) files.set(artifactFile.tabular, encodeTreesOnnx(trees));
  if (network !== null) files.set(artifactFile.network, encodeTsmixerOnnx(network.weights));
  // by name, as the manifest lists them
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function completeManifest(draft: ManifestDraft, files: FileMap): Manifest {
  const digestOfFile = (name: string) => sha256Hex(files.get(name)!);
  return {
    ...draft,
    manifest_version: manifestVersion,
    normalization: {
      file: artifactFile.normalization,
      sha256: digestOfFile(artifactFile.normalization),
    },
    train_report_hash: digestOfFile(artifactFile.trainReport),
    files: [...files].map(([name, bytes]) => ({
      name,
      sha256: sha256Hex(bytes),
      bytes: bytes.length,
    })),
  };
}

const json = (value: unknown): Buffer => Buffer.from(canonicalJson(value));

/**
 * Writes an artifact as a folder that appears whole or not at all.
 * @param path artifacts/models/<model_name>/<model_version>
 * @throws SluiceError `io_failed`, also if the folder exists
 */
export async function publishArtifact(path: string, built: BuiltArtifact): Promise<void> {
  await publishFolder(path, async (staging) => {
    for (const [name, bytes] of built.files) writeFileAtomic(join(staging, name), bytes);
  });
}
