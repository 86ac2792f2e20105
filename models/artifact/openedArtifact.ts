// Opens artifacts, closed by default: every reason against one is collected, and with one left nothing of it is
// handed out. The core works on bytes in memory; reading the folder is a thin shell around it.

import { isoTime, sha256Hex } from '../../core/index.ts';
import { type ArtifactLimits, defaultLimits, readFolder } from './folder.ts';
import { artifactFile, type Manifest, validateManifest } from './manifest.ts';
import { type ModelContent, modelFiles, readModel } from './modelContent.ts';
import { type BundleVerdict, type FileMap, signatureFile, verifyBundle } from './signature.ts';
import type { ParsedDocument } from './strictJson.ts';
import { type Violation, violation } from './violations.ts';

/** What the opener holds true; a field that is given must be the manifest's. */
export interface ExpectedVersions {
  readonly feature_payload_schema_version?: string;
  readonly feature_version?: string;
  readonly data_version?: string;
}

/** How to open. */
export interface OpenOptions {
  /** trusted keys, P-256, PEM */
  readonly publicKeysPem: readonly string[];
  readonly nowMs: number;
  readonly expected?: ExpectedVersions;
  readonly limits?: ArtifactLimits;
}

/** An artifact against which nothing was found. */
export interface OpenedArtifact extends ModelContent {
  readonly manifest: Manifest;
  /** every file; the very bytes that were verified */
  readonly files: FileMap;
  /** root digest of the signed statement, hex */
  readonly digest: string;
  /** sha256 of the public key's PEM text, hex */
  readonly keyHint: string;
}

/** The artifact, or all that is wrong with it. */
export type OpenVerdict =
  | { readonly ok: true; readonly artifact: OpenedArtifact }
  | {
      readonly ok: false;
      readonly digest: string | null;
      readonly violations: readonly Violation[];
    };

/**
 * Reads a folder once and opens it, see {@link openFiles}.
 * @throws SluiceError `input_missing` if there is no such folder, `input_invalid` for a trusted key that is no P-256 key
 */
export function openArtifact(path: string, options: OpenOptions): OpenVerdict {
  const limits = options.limits ?? defaultLimits;
  const { files, violations } = readFolder(path, limits);
  const verdict = openFiles(files, options);
  if (violations.length === 0) return verdict;
  return verdict.ok
    ? { ok: false, digest: verdict.artifact.digest, violations }
    : { ...verdict, violations: [...violations, ...verdict.violations] };
}

/**
 * Verifies files in memory. The manifest is always read, so that all its faults are told; the model's files are
 * interpreted only if the signature holds for their very bytes.
 * @throws SluiceError `input_invalid` for a trusted key that is no P-256 key
 */
export function openFiles(files: FileMap, options: OpenOptions): OpenVerdict {
  const signed = readSignature(files, options.publicKeysPem);
  const { digest, hint } = signed;
  const manifest = readManifest(files, options);
  const violations = [...signed.violations, ...manifest.violations];
  const model = readModel(files, signed.verified, manifest.value);
  violations.push(...model.violations);
  if (
    violations.length > 0 ||
    manifest.value === null ||
    model.value === null ||
    !digest ||
    !hint
  ) {
    return { ok: false, digest, violations };
  }
  const artifact = { ...model.value, manifest: manifest.value, files, digest, keyHint: hint };
  return { ok: true, artifact };
}

function readSignature(files: FileMap, publicKeysPem: readonly string[]): BundleVerdict {
  const bundle = files.get(signatureFile);
  if (bundle !== undefined) return verifyBundle(bundle, files, publicKeysPem);
  const violations = [violation('file_missing', `${signatureFile} is not there.`)];
  return { violations, verified: new Set(), digest: null, hint: null };
}

function readManifest(files: FileMap, options: OpenOptions): ParsedDocument<Manifest> {
  const bytes = files.get(artifactFile.manifest);
  if (bytes === undefined) {
    return { value: null, violations: [violation('file_missing', 'manifest.json is not there.')] };
  }
  const { value, violations } = validateManifest(bytes);
  if (value === null) return { value, violations };
  return {
    value,
    violations: [
      ...violations,
      ...fileViolations(value, files),
      ...circumstanceViolations(value, options),
    ],
  };
}

/** The manifest's list of files against what the type needs, and against the files. */
function fileViolations(manifest: Manifest, files: FileMap): Violation[] {
  const listed = new Map(manifest.files.map((file) => [file.name, file]));
  const needed = modelFiles(manifest.type);
  const found = needed
    .filter((name) => !listed.has(name))
    .map((name) => violation('file_missing', `manifest.json does not list ${name}.`));
  for (const file of manifest.files) found.push(...listedFileViolations(file, files, needed));
  for (const name of files.keys()) {
    if (listed.has(name) || name === artifactFile.manifest || name === signatureFile) continue;
    found.push(violation('file_extra', `${JSON.stringify(name)} is not listed in manifest.json.`));
  }
  const claimed = {
    [artifactFile.normalization]: manifest.normalization.sha256,
    [artifactFile.trainReport]: manifest.train_report_hash,
  };
  for (const [name, sha256] of Object.entries(claimed)) {
    if (listed.get(name)?.sha256 === sha256) continue;
    const message = `manifest.json gives ${name} two different sha256.`;
    found.push(violation('manifest_inconsistent', message));
  }
  return found;
}

function listedFileViolations(
  file: Manifest['files'][number],
  files: FileMap,
  needed: readonly string[],
): Violation[] {
  const found: Violation[] = [];
  const shown = JSON.stringify(file.name);
  if (!needed.includes(file.name)) {
    found.push(violation('file_extra', `${shown} is no file of this type of artifact.`));
  }
  const content = files.get(file.name);
  if (content === undefined) found.push(violation('file_missing', `${shown} is not there.`));
  else if (content.length !== file.bytes || sha256Hex(content) !== file.sha256) {
    found.push(violation('file_digest_wrong', `${shown} is not the file of manifest.json.`));
  }
  return found;
}

/** The manifest against the time and the opener. */
function circumstanceViolations(manifest: Manifest, { nowMs, expected }: OpenOptions): Violation[] {
  const found: Violation[] = [];
  if (nowMs >= manifest.expires_at) {
    const expiry = isoTime(manifest.expires_at);
    found.push(violation('expired', `The artifact expired on ${expiry}; it is ${isoTime(nowMs)}.`));
  }
  for (const field of versionFields) {
    const wanted = expected?.[field];
    if (wanted === undefined || wanted === manifest[field]) continue;
    const message = `${field}: expected ${wanted}, found ${manifest[field]}.`;
    found.push(violation(`${field}_mismatch`, message));
  }
  return found;
}

const versionFields = [
  'feature_payload_schema_version',
  'feature_version',
  'data_version',
] as const;
