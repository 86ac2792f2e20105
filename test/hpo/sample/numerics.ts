// The numbers that numerics.py recorded.

import { readFileSync } from 'node:fs';

/** What mpmath and numpy said. */
export interface Numerics {
  /** x, erf(x), erfc(x), erfc(-x) */
  readonly erf: readonly [number, number, number, number][];
  readonly logCdf: readonly [x: number, logCdf: number][];
  readonly logMass: readonly [a: number, b: number, logMass: number][];
  readonly quantile: readonly [q: number, a: number, b: number, quantile: number][];
  readonly streams: readonly {
    readonly seed: number | number[];
    /** words 0 to 4, 622 to 626, 1297 to 1299 */
    readonly words: readonly number[];
    readonly uniforms: readonly number[];
    readonly integers: readonly number[];
    readonly shuffled: readonly number[];
  }[];
  readonly orders: readonly { readonly values: number[]; readonly order: number[] }[];
}

export const numerics = JSON.parse(
  readFileSync(`${import.meta.dirname}/numerics.json`, 'utf8'),
) as Numerics;
