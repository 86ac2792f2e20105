// What a config may say of a TSMixer and its training, and the training that follows from it.

import { z } from 'zod';
import type { TsmixerMember, TsmixerTraining } from './types.ts';

/** Strict schema of the `tsmixer` part of a training config; every key has a default. */
export const tsmixerParamsSchema = z.strictObject({
  /** bars of a window */
  n_tokens: z.int().min(1).max(4096).default(64),
  /** width of the feature-mixing layer */
  hidden: z.int().min(1).max(4096).default(64),
  blocks: z.int().min(1).max(64).default(2),
  activation: z.enum(['relu', 'gelu']).default('relu'),
  dropout: z.number().min(0).max(0.999).default(0.1),
  /** samples of a step */
  batch: z.int().min(1).max(1_048_576).default(256),
  learning_rate: z.number().positive().max(1).default(0.001),
  weight_decay: z.number().min(0).max(10).default(0.01),
  epochs: z.int().min(1).max(100_000).default(30),
  /** Stop a network after so many epochs without a better stopping loss; 0 = never. */
  patience: z.int().min(0).max(100_000).default(5),
  schedule: z.enum(['constant', 'cosine']).default('cosine'),
  /** Share of all steps over which the learning rate rises from 0. */
  warmup_frac: z.number().min(0).lt(1).default(0.05),
  /** Largest global norm of a gradient; 0 = no clipping. */
  clip_norm: z.number().nonnegative().default(1),
  loss: z.enum(['mse', 'huber']).default('mse'),
  /** Residual from which huber loss grows linearly, in standard deviations of the label. */
  huber_delta: z.number().positive().default(1),
  seed: z.int().nonnegative().max(0x7fffffff).default(0),
  /** 0 = all cores. Never changes the result. */
  threads: z.int().nonnegative().max(1024).default(0),
  /** What trains; auto = the GPU where there is one. */
  device: z.enum(['cpu', 'cuda', 'auto']).default('cpu'),
  /** Of the matrix products of a GPU; a CPU computes in fp32, whatever stands here. */
  precision: z.enum(['tf32', 'fp32']).default('tf32'),
});

/** Parameters of a training, all present. */
export type TsmixerParams = z.infer<typeof tsmixerParamsSchema>;
/** Parameters of a training as they may be written: what is absent takes its default. */
export type TsmixerParamsInput = z.input<typeof tsmixerParamsSchema>;

/**
 * The training that parameters describe: networks that read a window and give one number.
 * @param members what each network has of its own, where that is not what the parameters say
 */
export function tsmixerTraining(
  params: TsmixerParams,
  nChannels: number,
  members: readonly Partial<TsmixerMember>[] = [{}],
): TsmixerTraining {
  const common: TsmixerMember = {
    seed: params.seed,
    learningRate: params.learning_rate,
    weightDecay: params.weight_decay,
    dropout: params.dropout,
    teacherLambda: 0,
    clipNorm: params.clip_norm,
  };
  return {
    shape: {
      nTokens: params.n_tokens,
      nChannels,
      hidden: params.hidden,
      blocks: params.blocks,
      horizon: 1,
      head: 'flat',
      keptChannels: nChannels,
      activation: params.activation,
      revin: false,
    },
    members: members.map((own) => ({ ...common, ...own })),
    batch: params.batch,
    loss: params.loss === 'mse' ? { kind: 'mse' } : { kind: 'huber', delta: params.huber_delta },
    epochs: params.epochs,
    patience: params.patience,
    schedule: params.schedule,
    warmupFrac: params.warmup_frac,
    threads: params.threads,
  };
}
