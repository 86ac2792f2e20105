// What goes into a training of TSMixers and what comes out, whichever engine does the arithmetic.

import type { Progress } from '../../core/index.ts';
import type { SequenceChannel, TsmixerShape, TsmixerWeights } from '../../models/score/index.ts';

/** Windows of a series with what is to be predicted from them. N rows cost N*C numbers, windows are gathered by index. */
export interface SequenceSamples {
  /** [R*C] normalised channels, symbol after symbol */
  readonly series: Float32Array;
  /** [n] row of `series` where a sample's window ends */
  readonly windowEnds: Int32Array;
  /** [n*O] what is predicted; null: the kept channels of the H rows after the window */
  readonly targets: Float32Array | null;
  /** [n*O] predictions of a model that did not see the sample; NaN = none for it */
  readonly teacher: Float32Array | null;
  /** [n] >= 0; null = 1 */
  readonly weights: Float32Array | null;
}

/** What a member has of its own. */
export interface TsmixerMember {
  /** decides initial parameters, order of samples and dropout */
  readonly seed: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** [0, 0.999] */
  readonly dropout: number;
  /** lambda: weight of the mean squared distance to the teacher */
  readonly teacherLambda: number;
  /** largest global gradient norm; 0 = no clipping */
  readonly clipNorm: number;
}

/** What the members of one training share. */
export interface TsmixerTraining {
  readonly shape: TsmixerShape;
  readonly members: readonly TsmixerMember[];
  readonly batch: number;
  readonly loss: { readonly kind: 'mse' } | { readonly kind: 'huber'; readonly delta: number };
  readonly epochs: number;
  /** epochs without a better stopping loss after which a member stops; 0 = never */
  readonly patience: number;
  readonly schedule: 'constant' | 'cosine';
  /** share of all steps over which the learning rate rises from 0 */
  readonly warmupFrac: number;
  /** 0 = one per core; decides no byte */
  readonly threads: number;
}

/** One training. */
export interface TsmixerRequest {
  readonly training: TsmixerTraining;
  readonly samples: SequenceSamples;
  /** samples that train */
  readonly train: Int32Array;
  /** samples that decide when to stop; empty = the last epoch is kept */
  readonly stop: Int32Array;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** where the training keeps itself, and goes on from if it was stopped; absent = nowhere */
  readonly checkpoint?: CheckpointPlace;
}

/** A checkpoint's file, and what is said in it for those who read it without the training's config. */
export interface CheckpointPlace {
  readonly path: string;
  /** [C] in channel order */
  readonly normalization: readonly SequenceChannel[];
  /** weight of the trees in the blend; null = not chosen yet */
  readonly ensembleAlpha: number | null;
  /** null = no report yet */
  readonly trainReportHash: string | null;
}

/** Losses of a member after an epoch, in units of the standardised targets. */
export interface TsmixerEpoch {
  /** counted from 1 */
  readonly epoch: number;
  /** mean over the epoch's steps, with dropout and teacher */
  readonly train: number;
  /** null without stopping samples */
  readonly stop: number | null;
}

/** A trained member: the parameters of its best epoch. */
export interface TsmixerFit {
  /** gives label units, whatever the targets were scaled by in training */
  readonly weights: TsmixerWeights;
  /** counted from 1, so also the number of epochs behind the weights */
  readonly bestEpoch: number;
  readonly history: readonly TsmixerEpoch[];
}
