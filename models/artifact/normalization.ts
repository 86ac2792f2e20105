// normalization.json: how network inputs are scaled. Trees take features as they are: no channels.

import { z } from 'zod';
import type { TsmixerNetwork } from '../score/index.ts';

/** Far beyond any use, and finite as float32. */
const maxClip = 1e6;

/** Per channel: (x - mean) / std, then cut at +-clip; fitted on training rows only. */
export const normalizationSchema = z.strictObject({
  normalization_version: z.literal(1),
  channels: z.array(
    z.strictObject({
      name: z.string().min(1),
      mean: z.number(),
      std: z.number().positive(),
      clip: z.number().positive().max(maxClip),
    }),
  ),
});

/** What {@link normalizationSchema} lets through. */
export type Normalization = z.infer<typeof normalizationSchema>;

/** The normalization of a network's channels; no channels without a network. */
export function normalizationOf(network: TsmixerNetwork | null): Normalization {
  const channels = (network?.channels ?? []).map(({ name, mean, std, clip }) => ({
    name,
    mean,
    std,
    clip,
  }));
  return { normalization_version: 1, channels };
}
