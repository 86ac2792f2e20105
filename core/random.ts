// Seeded random numbers: xoshiro128** seeded through splitmix32. Every use of chance in Sluice takes
// one of these as an argument, so that a seed decides everything.

/** A stream of random numbers decided by its seed alone. */
export interface Random {
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number;
  /** Uniform integer in [0, below). */
  integer(below: number): number;
  /** Standard normal (Box-Muller, both values used). */
  normal(): number;
  /** A stream of its own, decided by this stream's seed and the label, not by what was drawn. */
  fork(label: string): Random;
}

/**
 * Makes the stream of a seed.
 * @param seed any 32-bit integer; other numbers are truncated to one
 * @source Blackman and Vigna 2018, "Scrambled linear pseudorandom number generators"
 */
export function createRandom(seed: number): Random {
  return fromState(seed >>> 0);
}

function fromState(seed: number): Random {
  const state = seedState(seed);
  let spare = Number.NaN;
  const uniform = () => {
    const high = next(state) >>> 5;
    const low = next(state) >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  };
  return {
    uniform,
    integer: (below) => Math.floor(uniform() * below),
    normal() {
      if (!Number.isNaN(spare)) {
        const value = spare;
        spare = Number.NaN;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    fork: (label) => fromState(mix(seed, label)),
  };
}

function seedState(seed: number): Uint32Array {
  const state = new Uint32Array(4);
  let z = seed;
  for (let i = 0; i < 4; i += 1) {
    z = (z + 0x9e3779b9) >>> 0;
    let x = z;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    state[i] = x ^ (x >>> 15);
  }
  return state;
}

function next(s: Uint32Array): number {
  const s1 = s[1]!;
  const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
  const shifted = s1 << 9;
  s[2]! ^= s[0]!;
  s[3]! ^= s1;
  s[1]! ^= s[2]!;
  s[0]! ^= s[3]!;
  s[2]! ^= shifted;
  s[3] = rotate(s[3]!, 11);
  return result;
}

const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** FNV-1a of the label, mixed with the seed. */
function mix(seed: number, label: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < label.length; i += 1) {
    hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}
