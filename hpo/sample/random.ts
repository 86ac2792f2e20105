// Parameters drawn uniformly from their ranges, each on its own.

import type { Distribution, Sampler } from '../study/index.ts';
import type { MersenneTwister } from './mt19937.ts';
import { type Seeding, streamsOf } from './streams.ts';

/**
 * Makes a sampler that draws uniformly, in the logarithm where a distribution says so.
 * @source Optuna, `RandomSampler`: the same values for the same seed
 */
export function randomSampler(seeding: Seeding): Sampler {
  const streams = streamsOf(seeding);
  return {
    relative: () => new Map(),
    independent: (_study, trial, name, distribution) =>
      drawUniform(distribution, streams(trial, name)),
  };
}

/** Draws the internal value of a parameter. */
export function drawUniform(distribution: Distribution, random: MersenneTwister): number {
  if (distribution.kind === 'categorical') {
    const scores = distribution.choices.map(() => random.uniform());
    return scores.indexOf(Math.max(...scores));
  }
  const { low, high, step, log } = distribution;
  const half = (step ?? 0) / 2;
  const scale = log ? Math.log : (x: number) => x;
  const from = scale(low - half);
  const drawn = from + (scale(high + half) - from) * random.uniform();
  const value = log ? Math.exp(drawn) : drawn;
  if (step === null) return Math.max(low, Math.min(value, justBelow(low, high)));
  const rounded = log ? Math.round(value) : low + Math.round((value - low) / step) * step;
  return Math.min(Math.max(rounded, low), high);
}

/** The last number before `high`: the range is open at its end. */
function justBelow(low: number, high: number): number {
  if (low === high) return high;
  const bits = new BigInt64Array(1);
  const number = new Float64Array(bits.buffer);
  number[0] = high;
  if (high === 0) return -Number.MIN_VALUE;
  bits[0]! += high > 0 ? -1n : 1n;
  return number[0];
}
