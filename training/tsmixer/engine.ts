// The seam between a training and what does its arithmetic. Everything that is not arithmetic (epochs, early stopping,
// checkpoints, progress) is written once, above it.

import type { TsmixerShape } from '../../models/score/index.ts';
import type { Precision } from '../native/index.ts';
import type { SequenceSamples, TsmixerMember, TsmixerTraining } from './types.ts';

/** What an engine needs to know of a training. */
export interface EngineTask {
  readonly shape: TsmixerShape;
  readonly members: readonly TsmixerMember[];
  readonly batch: number;
  readonly loss: TsmixerTraining['loss'];
  /** 0 = one per core; decides no byte */
  readonly threads: number;
  /** lent until the session is closed; checked by `checkSamples` */
  readonly samples: SequenceSamples;
}

/** Where a member stands and what the last call saw of it. */
export interface EngineStats {
  /** optimiser steps since the start of the training */
  readonly step: number;
  /** that the call looked at */
  readonly samples: number;
  /** mean over them; in training with dropout and teacher, in evaluation without */
  readonly loss: number;
}

/** How a long call is watched. */
export interface EngineWatch {
  readonly signal: AbortSignal;
  /** told now and then how many steps the call in progress has made, over all members */
  onSteps(steps: number): void;
}

/** What to train: an epoch is ceil(n / batch) steps over `train` in an order that (seed, epoch) decides. */
export interface TrainOrder {
  readonly train: Int32Array;
  /** [s] factor of the learning rate at each step; the last one holds beyond */
  readonly schedule: Float32Array;
  readonly toStep: number;
  /** [members] 0 = leave this member alone */
  readonly active: Uint8Array;
}

/**
 * K members in training. One call at a time. A member trained beside others goes the same way as one trained alone, and
 * two calls to a step as one call: bit for bit.
 * @throws SluiceError `cancelled` within a step, `non_finite` with `context.step` when a loss is no number any more,
 * `native_failed`
 */
export interface EngineSession {
  /** bytes of a member's state: int64 step, then parameters, first and second moments [P] as float32, little-endian */
  readonly stateBytes: number;
  train(order: TrainOrder, watch: EngineWatch): Promise<readonly EngineStats[]>;
  /** Losses to the targets, without dropout and teacher. */
  evaluate(samples: Int32Array, watch: EngineWatch): Promise<readonly EngineStats[]>;
  /** @returns per member [n*O] */
  predict(samples: Int32Array, watch: EngineWatch): Promise<Float32Array[]>;
  readState(member: number): Uint8Array;
  writeState(member: number, state: Uint8Array): void;
  close(): void;
}

/** What an engine computes on, for those who ask later. */
export interface EngineDevice {
  readonly kind: 'cpu' | 'cuda';
  /** of a GPU as its driver calls it; of a CPU the instruction set or backend */
  readonly name: string;
  /** of the matrix products; everything else is float32 or wider */
  readonly precision: Precision;
  /** newest CUDA that the GPU's driver runs, such as `13.0`; null for a CPU */
  readonly driver: string | null;
}

/** Something that trains TSMixers. */
export interface TsmixerEngine {
  readonly name: 'native' | 'tfjs';
  /** what else decides its bytes: release, the kind of processor or backend, the precision of a GPU's products */
  readonly version: string;
  readonly device: EngineDevice;
  /** All parameters are zero until `writeState`. */
  open(task: EngineTask): EngineSession;
}

/** An engine by name and version, as lineages and checkpoints have it. */
export const engineId = ({ name, version }: Pick<TsmixerEngine, 'name' | 'version'>): string =>
  `${name} ${version}`;

/** AdamW's constants, those of torch's defaults. */
export const adamW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
