// Builds and publishes artifacts: the only thing that crosses from training to serving.

import { join } from 'node:path';
import {
  canonicalJson,
  publishFolder,
  SluiceError,
  sha256Hex,
  writeFileAtomic,
} from '../../core/index.ts';
import type { TreeEnsemble } from '../score/index.ts';
import { type GoldenScores, goldenDocument } from './golden.ts';
import { artifactFile, type Manifest, type ManifestDraft, manifestVersion } from './manifest.ts';
import { noNormalization } from './normalization.ts';
import { openFiles } from './openedArtifact.ts';
import { type FileMap, publicKeyOf, signatureFile, signFiles } from './signature.ts';
import { encodeTreesOnnx } from './treesOnnx.ts';
import { refusal } from './violations.ts';

/** What an artifact is made of. */
export interface ArtifactInput {
  readonly manifest: ManifestDraft;
  readonly trees: TreeEnsemble;
  /** any JSON value: folds, windows, metrics, seeds, lineage */
  readonly trainReport: unknown;
  /** rows with the scores of the trainer's own library, at least 32 */
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
 * @throws SluiceError `input_invalid` with `context.violations` if it would not open: golden scores that the trees do
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

function contentFiles({ trees, golden, trainReport }: ArtifactInput): Map<string, Buffer> {
  return new Map([
    [artifactFile.golden, json(goldenDocument(golden))],
    [artifactFile.normalization, json(noNormalization)],
    [artifactFile.tabular, encodeTreesOnnx(trees)],
    [artifactFile.trainReport, json(trainReport)],
  ]);
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
