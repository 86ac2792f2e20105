// The Mersenne Twister as numpy's RandomState uses it, so that a seed means here what it means to Optuna.
// Matsumoto and Nishimura 1998, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudorandom number generator".

import { SluiceError } from '../../core/index.ts';

/** A seed as `numpy.random.RandomState` takes it: one 32-bit number, or several. */
export type Seed = number | readonly number[];

/** A stream of random numbers; equal to that of `numpy.random.RandomState(seed)`. */
export interface MersenneTwister {
  /** Uniform 32-bit number. */
  word(): number;
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number;
  /** Uniform whole number in [0, most], by rejection, as `RandomState.randint` and `shuffle` draw it. */
  upTo(most: number): number;
}

const length = 624;
const middle = 397;

/**
 * Makes the stream of a seed.
 * @param seed 32-bit number(s), 0 to 2^32 - 1
 * @throws SluiceError `out_of_range` if a number is no such number, or if there is none
 */
export function mersenneTwister(seed: Seed): MersenneTwister {
  const state = typeof seed === 'number' ? stateOfNumber(seed) : stateOfNumbers(seed);
  let used = length;
  const word = (): number => {
    if (used === length) {
      twist(state);
      used = 0;
    }
    let y = state[used]!;
    used += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  return {
    word,
    uniform() {
      const high = word() >>> 5;
      const low = word() >>> 6;
      return (high * 67108864 + low) / 9007199254740992;
    },
    upTo(most) {
      if (most === 0) return 0;
      const mask = 0xffffffff >>> Math.clz32(most);
      let value = (word() & mask) >>> 0;
      while (value > most) value = (word() & mask) >>> 0;
      return value;
    },
  };
}

/** `init_genrand` of the published program. */
function stateOfNumber(seed: number): Uint32Array {
  const state = new Uint32Array(length);
  state[0] = checked(seed);
  for (let i = 1; i < length; i += 1) {
    const before = state[i - 1]!;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  return state;
}

/** `init_by_array` of the published program. */
function stateOfNumbers(seeds: readonly number[]): Uint32Array {
  if (seeds.length === 0)
    throw new SluiceError('out_of_range', 'A seed needs at least one number; none was given.');
  const state = stateOfNumber(19650218);
  const mixed = (i: number, factor: number) => {
    const before = state[i - 1]!;
    return state[i]! ^ Math.imul(before ^ (before >>> 30), factor);
  };
  let i = 1;
  const advance = () => {
    i += 1;
    if (i < length) return;
    state[0] = state[length - 1]!;
    i = 1;
  };
  for (let k = 0; k < Math.max(length, seeds.length); k += 1) {
    const j = k % seeds.length;
    state[i] = mixed(i, 1664525) + checked(seeds[j]!) + j;
    advance();
  }
  for (let k = 1; k < length; k += 1) {
    state[i] = mixed(i, 1566083941) - i;
    advance();
  }
  state[0] = 0x80000000;
  return state;
}

function checked(seed: number): number {
  if (Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff) return seed;
  throw new SluiceError(
    'out_of_range',
    `A seed must be a whole number from 0 to 4294967295, found ${seed}.`,
    { seed },
  );
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < length; i += 1) {
    const y = (state[i]! & 0x80000000) | (state[(i + 1) % length]! & 0x7fffffff);
    state[i] = state[(i + middle) % length]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
