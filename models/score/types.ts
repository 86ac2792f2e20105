// What scores: rows of features in, one float64 score per row out.

/** Scores tabular rows. */
export interface Scorer {
  readonly featureCount: number;
  /** @param features [n*F] row-major, NaN = missing  @returns [n] */
  score(features: Float32Array, rows: number): Float64Array;
}

/** How a numerical split treats missing values; LightGBM's `missing_type`. */
export const missingType = { none: 0, zero: 1, nan: 2 } as const;

/** One regression tree as flat arrays; node 0 is the root; a child < 0 is leaf `~child`. A tree of one leaf has no nodes. */
export interface Tree {
  /** [m] per inner node */
  readonly splitFeature: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** [m] 1 = missing goes left */
  readonly defaultLeft: Uint8Array;
  /** [m] a value of {@link missingType} */
  readonly missing: Uint8Array;
  /** [m] categories that go left, or null for a numerical split (`x <= threshold` goes left) */
  readonly categories: readonly (readonly number[] | null)[];
  /** [m] training rows that reached the node: TreeSHAP's cover */
  readonly nodeCover: Float64Array;
  /** [m+1] per leaf */
  readonly leafValue: Float64Array;
  readonly leafCover: Float64Array;
}

/** A sum of trees. Leaf values lie on a grid so coarse that float64 sums are exact in any order (docs/decisions/003). */
export interface TreeEnsemble {
  readonly featureCount: number;
  readonly trees: readonly Tree[];
}

/** The shape of a TSMixer: everything that decides which parameters it has and what it computes with them. */
export interface TsmixerShape {
  /** L: tokens of a window */
  readonly nTokens: number;
  /** C: channels of a token */
  readonly nChannels: number;
  /** ff: width of the feature-mixing layer */
  readonly hidden: number;
  readonly blocks: number;
  /** H: steps that are predicted, or numbers per window with a flat head */
  readonly horizon: number;
  /** `flat`: one linear map of the whole window to H numbers; `temporal`: a map L -> H shared by the kept channels */
  readonly head: 'flat' | 'temporal';
  /** leading channels that a temporal head predicts; nChannels for a flat head */
  readonly keptChannels: number;
  readonly activation: 'relu' | 'gelu';
  /** reversible instance normalisation around the network; needs a temporal head */
  readonly revin: boolean;
}

/** A trained TSMixer. */
export interface TsmixerWeights {
  readonly shape: TsmixerShape;
  /** all parameters, flat, in the order of `tsmixerParameters` */
  readonly values: Float32Array;
}

/** How a channel is normalised before a network reads it; fitted on training rows only. */
export interface SequenceChannel {
  readonly name: string;
  readonly mean: number;
  /** > 0 */
  readonly std: number;
  /** normalised values are cut at +-clip; > 0 */
  readonly clip: number;
}

/** A trained TSMixer with the normalisation of its channels [C], in their order. */
export interface TsmixerNetwork {
  readonly weights: TsmixerWeights;
  readonly channels: readonly SequenceChannel[];
}

/** Scores windows of bars. */
export interface SequenceScorer {
  readonly nTokens: number;
  readonly nChannels: number;
  /** @param windows [n*L*C] row-major, oldest token first, raw channel values, NaN = missing  @returns [n] */
  score(windows: Float32Array, rows: number): Float64Array;
}
