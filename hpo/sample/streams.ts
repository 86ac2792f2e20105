// Where samplers take random numbers from: one stream from trial to trial, as Optuna does, or one that follows from the
// trial alone, so that parallel workers need no common state and a resumed search goes on as if it had never stopped.

import type { FrozenTrial } from '../study/index.ts';
import { type MersenneTwister, mersenneTwister } from './mt19937.ts';

/** How a sampler draws. */
export interface Seeding {
  /** 0 to 2^32 - 1 */
  readonly seed: number;
  /**
   * false: one stream, so that suggestions depend on the order of asking, and equal Optuna's.
   * true: a suggestion is a function of the seed, the trial's number, the parameter's name and the snapshot alone.
   */
  readonly perTrial?: boolean;
}

/** The stream for a parameter of a trial; for those that are chosen together `name` is null. */
export type Streams = (trial: FrozenTrial, name: string | null) => MersenneTwister;

/** Makes the streams of a seeding. */
export function streamsOf({ seed, perTrial = false }: Seeding): Streams {
  if (perTrial) return ({ number }, name) => mersenneTwister([seed, number, ...unitsOf(name)]);
  const stream = mersenneTwister(seed);
  return () => stream;
}

/** A name as numbers, different from those of any other. */
const unitsOf = (name: string | null): number[] =>
  name === null ? [] : Array.from({ length: name.length }, (_, i) => name.charCodeAt(i)).concat(0);
