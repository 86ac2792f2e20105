// The learning rate over a training: linear warm-up, then constant or half a cosine (Loshchilov and Hutter 2017, SGDR).

import type { TsmixerTraining } from './types.ts';

/**
 * Factor of the learning rate at each step: (s + 1) / W in the W = round(warmupFrac * steps) steps of the warm-up, then 1,
 * or (1 + cos(pi * share)) / 2 where share runs from 0 at the first step after the warm-up towards 1 at the end.
 * @param steps of the whole training, at least 1
 * @returns [steps]
 */
export function learningRateFactors(
  { schedule, warmupFrac }: Pick<TsmixerTraining, 'schedule' | 'warmupFrac'>,
  steps: number,
): Float32Array {
  const warmup = Math.round(warmupFrac * steps);
  return new Float32Array(steps).map((_, step) => {
    if (step < warmup) return (step + 1) / warmup;
    if (schedule === 'constant') return 1;
    return (1 + Math.cos((Math.PI * (step - warmup)) / (steps - warmup))) / 2;
  });
}
