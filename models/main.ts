// Commands over what both tracks share: keys and signed artifacts.

import { join } from 'node:path';
import { type CommandIo, type CommandResult, isoTime, writeFileAtomic } from '../core/index.ts';
import {
  artifactFile,
  createKeyFiles,
  defaultLimits,
  type Manifest,
  openArtifact,
  openFiles,
  publicKeyOf,
  readFolder,
  readKeyFile,
  signatureFile,
  signFiles,
  type Violation,
  validateManifest,
} from './artifact/index.ts';

/** `artifact keygen`: a key pair in a folder. */
export async function artifactKeygen(
  { out }: { readonly out: string },
  _io: CommandIo,
): Promise<CommandResult> {
  const { privateKeyPath, publicKeyPath, hint } = createKeyFiles(out);
  return {
    json: {
      ok: true,
      digest: null,
      violations: [],
      private_key: privateKeyPath,
      public_key: publicKeyPath,
      key_hint: hint,
    },
    text: `Made ${privateKeyPath} (keep it secret) and ${publicKeyPath}, key ${hint}.`,
    exit: 0,
  };
}

/** `artifact verify`: opens an artifact as a server would, and lists every violation. */
export async function artifactVerify(
  { dir, key }: { readonly dir: string; readonly key: string },
  io: CommandIo,
): Promise<CommandResult> {
  const verdict = openArtifact(dir, { publicKeysPem: [readKeyFile(key)], nowMs: io.clock() });
  if (!verdict.ok) return refused(dir, verdict.digest, verdict.violations);
  const { digest, keyHint, manifest } = verdict.artifact;
  return {
    json: { ok: true, digest, violations: [], key_hint: keyHint },
    text: `${manifest.model_name} ${manifest.model_version} is whole and signed by key ${keyHint}.\nroot digest ${digest}`,
    exit: 0,
  };
}

/** `artifact sign`: signs a directory anew; what would not open is not signed, and the old signature stays. */
export async function artifactSign(
  { dir, key }: { readonly dir: string; readonly key: string },
  io: CommandIo,
): Promise<CommandResult> {
  const privateKeyPem = readKeyFile(key);
  const folder = readFolder(dir, defaultLimits);
  const manifest = manifestOf(folder.files);
  const subject = manifest === null ? dir : `${manifest.model_name}_${manifest.model_version}`;
  const { bundle, digest } = signFiles(folder.files, subject, privateKeyPem);
  const verdict = openFiles(new Map([...folder.files, [signatureFile, bundle]]), {
    publicKeysPem: [publicKeyOf(privateKeyPem)],
    nowMs: io.clock(),
  });
  const violations = [...folder.violations, ...(verdict.ok ? [] : verdict.violations)];
  if (violations.length > 0) return refused(dir, digest, violations);
  writeFileAtomic(join(dir, signatureFile), bundle);
  return {
    json: { ok: true, digest, violations: [] },
    text: `Signed ${dir}, root digest ${digest}.`,
    exit: 0,
  };
}

/** `artifact inspect`: what an artifact says of itself; whether the signer can be trusted is left open. */
export async function artifactInspect(
  { dir }: { readonly dir: string },
  io: CommandIo,
): Promise<CommandResult> {
  const { files, violations: unread } = readFolder(dir, defaultLimits);
  const verdict = openFiles(files, { publicKeysPem: [], nowMs: io.clock() });
  const { digest, violations: found } = verdict.ok
    ? { digest: verdict.artifact.digest, violations: [] }
    : verdict;
  // no key was given, so that none can be known
  const violations = [...unread, ...found].filter(({ code }) => code !== 'unknown_key');
  const manifest = manifestOf(files);
  const sizes = [...files].map(([name, bytes]) => ({ name, bytes: bytes.length }));
  return {
    json: { ok: violations.length === 0, digest, violations, manifest, files: sizes },
    text: [
      ...(manifest === null ? [] : describe(manifest)),
      `digest    ${digest ?? 'none'} (claimed; "artifact verify" with a key proves it)`,
      ...sizes.map(({ name, bytes }) => `file      ${name}, ${bytes} bytes`),
      ...lines(violations),
    ].join('\n'),
    exit: 0,
  };
}

function manifestOf(files: ReadonlyMap<string, Buffer>): Manifest | null {
  const bytes = files.get(artifactFile.manifest);
  return bytes === undefined ? null : validateManifest(bytes).value;
}

function describe(manifest: Manifest): string[] {
  const { windows, engine } = manifest;
  return [
    `model     ${manifest.model_name} ${manifest.model_version} (${manifest.type})`,
    `policy    ${manifest.policy ?? 'none promoted'}; allowed ${manifest.policies_allowed.join(', ')}`,
    `lineage   ${manifest.lineage_id}, run ${manifest.lineage.run_id}, seed ${manifest.seed}`,
    `data      ${manifest.symbols.join(', ')} ${manifest.timeframe}, version ${manifest.data_version}`,
    `features  ${manifest.feature_schema.length}, version ${manifest.feature_version}`,
    ...networkLine(manifest),
    `forward   ${isoTime(windows.forward_oos.from)} to ${isoTime(windows.forward_oos.to)}`,
    `engine    ${engine.name} ${engine.version}, ${engine.device}, ${engine.precision}`,
    `valid     ${isoTime(manifest.created_at)} to ${isoTime(manifest.expires_at)}`,
  ];
}

function networkLine(manifest: Manifest): string[] {
  const { type, n_tokens, n_channels, ensemble_alpha } = manifest;
  if (type === 'lightgbm_liquid') return [];
  return [
    `network   ${n_tokens} tokens x ${n_channels} channels; the trees weigh ${ensemble_alpha} in the blend`,
  ];
}

function refused(
  dir: string,
  digest: string | null,
  violations: readonly Violation[],
): CommandResult {
  const text = [`${dir} is refused:`, ...lines(violations)].join('\n');
  return { json: { ok: false, digest, violations }, text, exit: 1 };
}

const lines = (violations: readonly Violation[]): string[] =>
  violations.map(({ code, message }) => `refused   ${code}: ${message}`);
