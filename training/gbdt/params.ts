// What can be asked of LightGBM, and how it is told. Names are LightGBM's own or its documented aliases.

import { z } from 'zod';

const shareSchema = z.number().positive().max(1);

/** Strict schema of the `gbdt` part of a training config; every key has a default. */
export const gbdtParamsSchema = z
  .strictObject({
    objective: z.enum(['regression', 'huber', 'binary']).default('regression'),
    /** Residual from which huber loss grows linearly, in label units. */
    huber_delta: z.number().positive().default(0.9),
    rounds: z.int().min(1).max(100_000).default(300),
    learning_rate: z.number().positive().max(1).default(0.05),
    leaves: z.int().min(2).max(131_072).default(31),
    /** -1 = no limit. */
    max_depth: z.union([z.literal(-1), z.int().min(1).max(1000)]).default(-1),
    min_data_in_leaf: z.int().min(1).default(20),
    feature_fraction: shareSchema.default(1),
    bagging_fraction: shareSchema.default(1),
    /** Draw a new bag every so many rounds; 0 = no bagging. */
    bagging_freq: z.int().nonnegative().default(0),
    lambda_l1: z.number().nonnegative().default(0),
    lambda_l2: z.number().nonnegative().default(0),
    max_bin: z.int().min(2).max(65_535).default(255),
    /** Stop when the validation metric has not improved for so many rounds; 0 = never. */
    early_stopping_rounds: z.int().nonnegative().default(0),
    seed: z.int().nonnegative().max(0x7fffffff).default(0),
    /** 0 = all cores. Never changes the result. */
    threads: z.int().nonnegative().max(1024).default(0),
    zero_as_missing: z.boolean().default(false),
    use_quantized_grad: z.boolean().default(false),
    device: z.enum(['cpu', 'cuda']).default('cpu'),
  })
  .superRefine((params, context) => {
    if (params.device === 'cpu') return;
    for (const { key, wrong, message } of wrongOnCuda) {
      if (wrong(params)) context.addIssue({ code: 'custom', path: [key], message });
    }
  })
  .refine((params) => !params.use_quantized_grad || !drawsSubsets(params), {
    path: ['use_quantized_grad'],
    message:
      'must be false with bagging or feature_fraction: LightGBM then adds up wrong rows (its pull request 7397)',
  });

/**
 * What LightGBM's CUDA learner takes and does wrongly, up to its release 4.7. What it does on the CPU instead (other
 * objectives, linear trees) or not at all (sparse features) cannot be asked for here: our three objectives run on the GPU.
 */
const wrongOnCuda: readonly {
  readonly key: 'max_bin' | 'max_depth' | 'use_quantized_grad';
  readonly wrong: (params: {
    readonly max_bin: number;
    readonly max_depth: number;
    readonly use_quantized_grad: boolean;
  }) => boolean;
  readonly message: string;
}[] = [
  {
    key: 'max_bin',
    wrong: ({ max_bin }) => max_bin > 255,
    message: 'must be at most 255 on cuda: above, LightGBM trains wrong trees (its issue 7417)',
  },
  {
    key: 'max_depth',
    wrong: ({ max_depth }) => max_depth !== -1,
    message:
      'must be -1 on cuda: LightGBM ignores it there (its issue 6969); limit the tree by leaves',
  },
  {
    key: 'use_quantized_grad',
    wrong: ({ use_quantized_grad }) => use_quantized_grad,
    message: 'must be false on cuda: LightGBM writes past its buffer there (its pull request 7374)',
  },
];

const drawsSubsets = (params: {
  readonly bagging_freq: number;
  readonly bagging_fraction: number;
  readonly feature_fraction: number;
}): boolean =>
  (params.bagging_freq > 0 && params.bagging_fraction < 1) || params.feature_fraction < 1;

/** Parameters of a fit, all present. */
export type GbdtParams = z.infer<typeof gbdtParamsSchema>;
/** Parameters of a fit as they may be written: what is absent takes its default. */
export type GbdtParamsInput = z.input<typeof gbdtParamsSchema>;

/** LightGBM's parameter string; the same one makes the dataset and the booster. */
export function lightgbmParameters(
  params: GbdtParams,
  threads: number,
  categorical: readonly number[],
): string {
  const entries: Record<string, string | number | boolean> = {
    objective: params.objective,
    alpha: params.huber_delta,
    metric: 'none',
    learning_rate: params.learning_rate,
    num_leaves: params.leaves,
    max_depth: params.max_depth,
    min_data_in_leaf: params.min_data_in_leaf,
    feature_fraction: params.feature_fraction,
    bagging_fraction: params.bagging_fraction,
    bagging_freq: params.bagging_freq,
    lambda_l1: params.lambda_l1,
    lambda_l2: params.lambda_l2,
    max_bin: params.max_bin,
    seed: params.seed,
    num_threads: threads,
    zero_as_missing: params.zero_as_missing,
    use_quantized_grad: params.use_quantized_grad,
    // with stochastic rounding each thread draws numbers of its own, and 1 and 2 threads differ
    stochastic_rounding: false,
    device_type: params.device,
    // a promise for the CPU only: on CUDA LightGBM would warn that it means nothing
    deterministic: params.device === 'cpu',
    // row-wise, and for bundles of sparse features in any case, each thread adds up rows of its own: where gradients
    // differ much in size, sums then round differently for each number of threads
    force_col_wise: params.device === 'cpu', // CUDA's learner has rows only
    enable_bundle: false,
    verbosity: -1,
  };
  if (categorical.length > 0) entries.categorical_feature = categorical.join(',');
  return Object.entries(entries)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
