// A model that may answer: everything about it was verified before this object existed.

import type { Manifest } from '../../models/artifact/index.ts';
import type { Contributions } from '../../models/score/index.ts';

/** The part of the signed manifest that serving reads. */
export type ServedManifest = Pick<
  Manifest,
  | 'model_name'
  | 'model_version'
  | 'lineage_id'
  | 'feature_payload_schema_version'
  | 'feature_version'
  | 'data_version'
  | 'symbols'
  | 'timeframe'
  | 'feature_schema'
  | 'feature_spec'
  | 'policies_allowed'
  | 'policy'
  | 'trade'
  | 'expires_at'
>;

/** A verified, opened and replayed artifact. */
export interface LoadedModel {
  readonly manifest: ServedManifest;
  /** root digest of the signed statement, hex */
  readonly digest: string;
  /** sha256 of the public key's PEM text, hex */
  readonly keyHint: string;
  /**
   * Scores rows: a few by walking the trees, more through ONNX Runtime; the bits are the same.
   * @param features [rows*F] row-major float32, NaN = missing
   * @returns [rows]
   * @throws SluiceError `native_failed`
   */
  score(features: Float32Array, rows: number): Promise<Float64Array>;
  /** TreeSHAP of one row [F]: base plus contributions is the score, to 1e-6. */
  contributions(row: Float32Array): Contributions;
  /** Releases the session. */
  close(): Promise<void>;
}
