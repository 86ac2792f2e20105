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

/** The trees of an artifact. */
export interface LoadedTrees {
  /**
   * Scores rows: a few by walking the trees, more through ONNX Runtime; the bits are the same.
   * @param features [rows*F] row-major float32, NaN = missing
   * @returns [rows]
   * @throws SluiceError `native_failed`
   */
  score(features: Float32Array, rows: number): Promise<Float64Array>;
  /** TreeSHAP of one row [F]: base plus contributions is the score, to 1e-6. */
  contributions(row: Float32Array): Contributions;
}

/** The network of an artifact. */
export interface LoadedNetwork {
  /** L: bars of a window */
  readonly nTokens: number;
  /** [C] names of a bar's channels, in their order */
  readonly channels: readonly string[];
  /**
   * Scores windows through ONNX Runtime, in float32.
   * @param windows [rows*L*C] row-major, oldest bar first, raw channel values, NaN = missing (the training mean)
   * @returns [rows]; finite unless the network overflows
   * @throws SluiceError `native_failed`
   */
  score(windows: Float32Array, rows: number): Promise<Float64Array>;
  /**
   * What each channel does for the score of one window [L*C]: the score less the score with that channel at its
   * training mean in every bar. `base` is the score with all channels there. Channels work together, so base plus
   * contributions is not the score.
   * @throws SluiceError `native_failed`
   */
  contributions(window: Float32Array): Promise<Contributions>;
}

/** A verified, opened and replayed artifact; it has trees, a network, or both. */
export interface LoadedModel {
  readonly manifest: ServedManifest;
  /** root digest of the signed statement, hex */
  readonly digest: string;
  /** sha256 of the public key's PEM text, hex */
  readonly keyHint: string;
  readonly trees: LoadedTrees | null;
  readonly network: LoadedNetwork | null;
  /** Releases the sessions. */
  close(): Promise<void>;
}
