// OpenSSF Model Signing v1.0, key method: a Sigstore bundle v0.3 around a DSSE envelope around an in-toto
// statement that lists every file with its sha256. ECDSA P-256 with SHA-256; node:crypto does the work.
// Source: https://github.com/ossf/model-signing-spec, DSSE v1 protocol (pre-authentication encoding).

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { z } from 'zod';
import { SluiceError, sha256Hex } from '../../core/index.ts';
import { nameViolations } from './names.ts';
import { parseDocument } from './strictJson.ts';
import { type Violation, violation } from './violations.ts';

/** Name of the bundle inside an artifact; the only file that it does not list. */
export const signatureFile = 'model.sig';

/** Files by name. */
export type FileMap = ReadonlyMap<string, Buffer>;

const mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const payloadType = 'application/vnd.in-toto+json';
const maxResources = 10_000;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const base64 = z
  .string()
  .min(1)
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'is not plain base64');

const bundleSchema = z.strictObject({
  mediaType: z.literal(mediaType),
  verificationMaterial: z.strictObject({
    publicKey: z.strictObject({ hint: sha256 }),
    tlogEntries: z.array(z.never()).optional(),
  }),
  dsseEnvelope: z.strictObject({
    payload: base64,
    payloadType: z.literal(payloadType),
    signatures: z.tuple(
      [z.strictObject({ sig: base64, keyid: z.string().optional() })],
      z.strictObject({ sig: z.string(), keyid: z.string().optional() }),
    ),
  }),
});

const annotations = z.record(z.string(), z.unknown()).optional();

const statementSchema = z.strictObject({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z.tuple([
    z.strictObject({ name: z.string(), digest: z.strictObject({ sha256 }), annotations }),
  ]),
  predicateType: z.literal('https://model_signing/signature/v1.0'),
  // the reference verifier ignores further keys here; they are signed
  predicate: z.looseObject({
    resources: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(1024),
          algorithm: z.literal('sha256'),
          digest: sha256,
          annotations,
        }),
      )
      .min(1)
      .max(maxResources),
    serialization: z.strictObject({
      method: z.literal('files'),
      hash_type: z.literal('sha256'),
      allow_symlinks: z.literal(false),
      ignore_paths: z.array(z.string()).optional(),
    }),
  }),
});

type Bundle = z.infer<typeof bundleSchema>;
type Statement = z.infer<typeof statementSchema>;

/** A fresh P-256 key pair as PEM texts (PKCS #8 and SubjectPublicKeyInfo). */
export function generateKeyPair(): {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
} {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKeyPem, publicKeyPem: publicKeyOf(privateKeyPem) };
}

/**
 * The public half of a private key, PEM.
 * @throws SluiceError `input_invalid`
 */
export function publicKeyOf(privateKeyPem: string): string {
  return publicPem(createPublicKey(privateKey(privateKeyPem)));
}

/**
 * The name of a public key in a bundle: sha256 of its PEM text, hex.
 * @throws SluiceError `input_invalid`
 */
export function keyHint(publicKeyPem: string): string {
  return sha256Hex(publicPem(publicKey(publicKeyPem)));
}

const publicPem = (key: KeyObject): string =>
  key.export({ type: 'spki', format: 'pem' }).toString();
const privateKey = (pem: string): KeyObject => p256(() => createPrivateKey(pem), 'private');
const publicKey = (pem: string): KeyObject => p256(() => createPublicKey(pem), 'public');

function p256(read: () => KeyObject, kind: string): KeyObject {
  let curve: string | undefined;
  try {
    const key = read();
    curve = key.asymmetricKeyDetails?.namedCurve;
    if (curve === 'prime256v1') return key;
  } catch {
    // falls through to the same sentence; the cause may quote key material
  }
  throw new SluiceError(
    'input_invalid',
    `Expected a ${kind} key on curve P-256 in PEM form, found ${curve ?? 'no such key'}; make one with "sluice artifact keygen".`,
  );
}

/** The root digest of files: sha256 over the raw sha256 digests in the order of the names' code points. */
export function rootDigest(files: FileMap): string {
  return rootOf(resourcesOf(files));
}

function resourcesOf(files: FileMap) {
  return [...files]
    .filter(([name]) => name !== signatureFile)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, bytes]) => ({ name, algorithm: 'sha256' as const, digest: sha256Hex(bytes) }));
}

function rootOf(resources: readonly { readonly digest: string }[]): string {
  return sha256Hex(Buffer.concat(resources.map(({ digest }) => Buffer.from(digest, 'hex'))));
}

/**
 * Signs files as they are.
 * @param files all files; `model.sig` among them is left out
 * @param subject name of the model in the statement
 * @returns the bundle and the root digest; ECDSA draws a random number, so only the digest is reproducible
 * @throws SluiceError `input_invalid` for a key of another kind
 */
export function signFiles(
  files: FileMap,
  subject: string,
  privateKeyPem: string,
): { readonly bundle: Buffer; readonly digest: string } {
  const resources = resourcesOf(files);
  const digest = rootOf(resources);
  const statement: Statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: subject, digest: { sha256: digest } }],
    predicateType: 'https://model_signing/signature/v1.0',
    predicate: {
      resources,
      serialization: {
        method: 'files',
        hash_type: 'sha256',
        allow_symlinks: false,
        ignore_paths: [],
      },
    },
  };
  const payload = Buffer.from(JSON.stringify(statement));
  return { bundle: seal(payload, privateKeyPem), digest };
}

/** A payload signed and wrapped. */
function seal(payload: Buffer, privateKeyPem: string): Buffer {
  const key = privateKey(privateKeyPem);
  const sig = signBytes('sha256', preAuthentication(payload), { key, dsaEncoding: 'der' });
  const bundle: Bundle = {
    mediaType,
    verificationMaterial: {
      publicKey: { hint: keyHint(publicKeyOf(privateKeyPem)) },
      tlogEntries: [],
    },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType,
      signatures: [{ sig: sig.toString('base64'), keyid: '' }],
    },
  };
  return Buffer.from(JSON.stringify(bundle));
}

function preAuthentication(payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** What a bundle says about files. */
export interface BundleVerdict {
  /** empty = every file is the signed one and no other file is there */
  readonly violations: readonly Violation[];
  /** files whose bytes are the signed ones; empty if the signature does not hold */
  readonly verified: ReadonlySet<string>;
  /** root digest that the statement names; null if there is no readable statement */
  readonly digest: string | null;
  /** which key signed, or claims to have */
  readonly hint: string | null;
}

/**
 * Checks a bundle against files: its form, the key, the first signature, then every listed file and that no other is there.
 * @param publicKeysPem trusted keys, P-256, PEM
 * @throws SluiceError `input_invalid` for a trusted key that is no P-256 key
 */
export function verifyBundle(
  bundleBytes: Uint8Array,
  files: FileMap,
  publicKeysPem: readonly string[],
): BundleVerdict {
  const parsed = parseDocument(bundleSchema, signatureFile, bundleBytes, 'bundle_invalid');
  if (parsed.value === null) {
    return { violations: parsed.violations, verified: new Set(), digest: null, hint: null };
  }
  const { verificationMaterial, dsseEnvelope } = parsed.value;
  const { hint } = verificationMaterial.publicKey;
  const payload = Buffer.from(dsseEnvelope.payload, 'base64');
  const signature = Buffer.from(dsseEnvelope.signatures[0].sig, 'base64');
  const forged = signatureViolations(payload, signature, hint, publicKeysPem);
  const statement = parseDocument(statementSchema, 'the statement', payload, 'statement_invalid');
  if (statement.value === null) {
    const violations = [...forged, ...statement.violations];
    return { violations, verified: new Set(), digest: null, hint };
  }
  const content = contentVerdict(statement.value, files);
  return {
    violations: [...forged, ...content.violations],
    verified: new Set(forged.length === 0 ? content.verified : []),
    digest: statement.value.subject[0].digest.sha256,
    hint,
  };
}

function signatureViolations(
  payload: Buffer,
  signature: Buffer,
  hint: string,
  publicKeysPem: readonly string[],
): Violation[] {
  const pem = publicKeysPem.find((candidate) => keyHint(candidate) === hint);
  if (pem === undefined) {
    const known = publicKeysPem.map((candidate) => keyHint(candidate).slice(0, 12)).join(', ');
    return [
      violation(
        'unknown_key',
        `The bundle is signed by key ${hint.slice(0, 12)}; trusted: ${known || 'none'}.`,
      ),
    ];
  }
  const holds = verifyBytes(
    'sha256',
    preAuthentication(payload),
    { key: publicKey(pem), dsaEncoding: 'der' },
    signature,
  );
  return holds
    ? []
    : [violation('signature_wrong', `Signature 0 does not verify with key ${hint.slice(0, 12)}.`)];
}

function contentVerdict({ subject, predicate }: Statement, files: FileMap) {
  const { resources } = predicate;
  const violations = nameViolations(resources.map(({ name }) => name));
  const verified: string[] = [];
  const root = rootOf(resources);
  const claimed = subject[0].digest.sha256;
  if (root !== claimed) {
    const message = `The statement says ${claimed}, its list of files gives ${root}.`;
    violations.push(violation('root_digest_wrong', message));
  }
  for (const { name, digest } of resources) {
    const bytes = files.get(name);
    const shown = JSON.stringify(name);
    if (bytes === undefined) {
      violations.push(violation('file_missing', `${shown} is signed but not there.`));
    } else if (sha256Hex(bytes) !== digest) {
      violations.push(violation('file_digest_wrong', `${shown} has other bytes than were signed.`));
    } else verified.push(name);
  }
  const listed = new Set(resources.map(({ name }) => name));
  for (const name of files.keys()) {
    if (name === signatureFile || listed.has(name)) continue;
    violations.push(violation('file_unsigned', `${JSON.stringify(name)} is there but not signed.`));
  }
  return { violations, verified };
}
