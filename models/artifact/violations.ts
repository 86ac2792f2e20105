// Why an artifact is refused: one code per reason. Opening returns all of them; nothing is opened while one is left.

/** Every violation code and what it means. */
export const violationRegistry = {
  // the folder
  file_missing: 'A file that this type of artifact needs is not there.',
  file_extra: 'A file or folder lies in the artifact that is not part of it.',
  file_too_large: 'A file, or the sum of all, is over the size limit.',
  not_a_file: 'An entry is a socket, pipe or device.',
  symlink: 'An entry is a symbolic link.',
  // names
  name_parent: 'A name has a "." or ".." part or an empty one.',
  name_absolute: 'A name is an absolute path.',
  name_backslash: 'A name holds a backslash.',
  name_nul: 'A name holds a NUL or another control character.',
  name_not_nfc: 'A name is not in Unicode normal form C.',
  name_case_collision: 'Two names differ by case only.',
  name_duplicate: 'A name is listed twice.',
  // the signature
  bundle_invalid: 'model.sig is not a Sigstore bundle v0.3 of the key method.',
  statement_invalid:
    'The signed statement is not an OpenSSF Model Signing v1.0 statement with method files and sha256.',
  unknown_key: 'The signature names a key that is not trusted here.',
  signature_wrong: 'The first signature does not verify with the key that it names.',
  root_digest_wrong: 'The signed root digest is not that of the listed files in their order.',
  file_unsigned: 'A file is not listed in the signed statement.',
  file_digest_wrong: 'The bytes of a file are not the signed or listed ones.',
  // the manifest
  json_invalid: 'A JSON file does not parse.',
  non_finite: 'A number is not finite.',
  manifest_version_unknown: 'The manifest has a version that this program does not know.',
  manifest_invalid: 'The manifest does not match its schema.',
  manifest_inconsistent:
    'Two fields of the manifest, or the manifest and a file, contradict each other.',
  expired: 'The artifact is past its expires_at.',
  feature_payload_schema_version_mismatch:
    'Model and server disagree on the layout of the feature payload.',
  feature_version_mismatch: 'Model and server disagree on the feature set.',
  data_version_mismatch: 'The model was not made from the expected data.',
  // the model
  onnx_invalid: 'An ONNX file does not hold trees or a network as Sluice writes them.',
  onnx_op_refused: 'The ONNX graph uses an operator, function or subgraph outside the allow-list.',
  onnx_external_data: 'The ONNX file refers to data outside itself.',
  normalization_invalid: 'normalization.json does not match its schema or the manifest.',
  golden_invalid: 'golden.json does not match its schema or the manifest.',
  golden_mismatch:
    'The model does not reproduce the golden scores: trees bit for bit, a network within rounding.',
} as const;

/** A code of the registry. */
export type ViolationCode = keyof typeof violationRegistry;

/** One reason to refuse an artifact. */
export interface Violation {
  readonly code: ViolationCode;
  /** what was expected and what was found */
  readonly message: string;
}

/** Makes a violation. */
export const violation = (code: ViolationCode, message: string): Violation => ({ code, message });

/** One sentence with every violation. */
export function refusal(what: string, violations: readonly Violation[]): string {
  const reasons = violations.map(({ code, message }) => `${code}: ${message}`);
  return `${what} is refused: ${reasons.join(' ')}`;
}
