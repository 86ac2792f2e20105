// normalization.json: how network inputs are scaled. Trees take features as they are: no channels.

import { z } from 'zod';

/** Per channel: (x - mean) / std, then cut at +-clip; fitted on training rows only. */
export const normalizationSchema = z.strictObject({
  normalization_version: z.literal(1),
  channels: z.array(
    z.strictObject({
      name: z.string().min(1),
      mean: z.number(),
      std: z.number().positive(),
      clip: z.number().positive(),
    }),
  ),
});

/** What {@link normalizationSchema} lets through. */
export type Normalization = z.infer<typeof normalizationSchema>;

/** The normalization of a model without a network. */
export const noNormalization: Normalization = { normalization_version: 1, channels: [] };
