// A model that may answer: everything about it was verified before this object existed.

import type { Policy } from '../../core/index.ts';

/** The part of the signed manifest that serving reads; the whole is the artifact room's. */
export interface ServedManifest {
  readonly model_name: string;
  readonly model_version: string;
  readonly lineage_id: string;
  readonly feature_payload_schema_version: string;
  readonly feature_version: string;
  readonly data_version: string;
  readonly symbols: readonly string[];
  readonly feature_schema: readonly {
    readonly name: string;
    readonly unit: string;
    readonly nullable: boolean;
  }[];
  readonly policies_allowed: readonly Policy[];
}

/** A verified, opened and replayed artifact. */
export interface LoadedModel {
  readonly manifest: ServedManifest;
  /** root digest of the signed statement, hex */
  readonly digest: string;
  /** sha256 of the public key's PEM text, hex */
  readonly keyHint: string;
  /**
   * Scores rows through ONNX Runtime.
   * @param features [rows*F] row-major, NaN = missing
   * @returns [rows], always finite
   * @throws SluiceError `non_finite` | `native_failed`
   */
  score(features: Float32Array, rows: number): Promise<Float64Array>;
  /**
   * TreeSHAP contributions of one row.
   * @param features [F]
   * @returns [F+1], the last entry is the base value; the sum is the score
   */
  contributions(features: Float32Array): Float64Array;
  /** Releases the session. */
  close(): Promise<void>;
}
