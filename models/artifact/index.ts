// Signed artifacts: what crosses from training to serving.
export {
  type ArtifactInput,
  type BuiltArtifact,
  buildArtifact,
  publishArtifact,
} from './builtArtifact.ts';
export { type ArtifactLimits, defaultLimits, readFolder } from './folder.ts';
export type { GoldenScores } from './golden.ts';
export { createKeyFiles, type KeyFiles, readKeyFile } from './keyFiles.ts';
export { latestArtifactFolder, writeLatestArtifact } from './latestArtifact.ts';
export {
  artifactFile,
  featureSchemaOf,
  type Manifest,
  type ManifestDraft,
  manifestDraftSchema,
  validateManifest,
} from './manifest.ts';
export {
  type ExpectedVersions,
  type OpenedArtifact,
  type OpenOptions,
  type OpenVerdict,
  openArtifact,
  openFiles,
} from './openedArtifact.ts';
export {
  type FileMap,
  generateKeyPair,
  keyHint,
  publicKeyOf,
  rootDigest,
  signatureFile,
  signFiles,
  verifyBundle,
} from './signature.ts';
export { decodeTreesOnnx, encodeTreesOnnx, tabularInput, tabularOutput } from './treesOnnx.ts';
export {
  decodeTsmixerOnnx,
  encodeTsmixerOnnx,
  networkInput,
  networkOutput,
} from './tsmixerOnnx.ts';
export { refusal, type Violation, type ViolationCode, violationRegistry } from './violations.ts';
