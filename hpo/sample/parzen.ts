// Parzen estimators of TPE: a density over several parameters as a mixture of products of kernels, one product for each
// observed trial and a wide one as prior. Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"; weights and
// widths as in Optuna 5.0 (Watanabe 2023, "Tree-structured Parzen estimator: understanding its algorithm components").

import {
  type BellKernels,
  kernelsOf,
  mostCut,
  type Observations,
  type TableKernels,
} from './kernels.ts';
import type { MersenneTwister } from './mt19937.ts';
import { pairwiseSum } from './pairwiseSum.ts';

/** A density over parameters. Points are columns: one array of internal values for each parameter. */
export interface ParzenEstimator {
  /** Draws points. */
  sample(random: MersenneTwister, count: number): Float64Array[];
  /** Logarithm of the density (of choices and steps: of the probability) at points. */
  logDensity(points: readonly Float64Array[]): Float64Array;
}

/**
 * Weights of n observations, old to new: the last 25 count fully, those before them the less the older they are.
 * @source Optuna, `default_weights`
 */
export function recencyWeights(n: number): Float64Array {
  const weights = new Float64Array(n).fill(1);
  const ramp = n - 25;
  const step = ramp > 1 ? (1 - 1 / n) / (ramp - 1) : 0;
  for (let i = 0; i < ramp; i += 1) weights[i] = i > 0 && i === ramp - 1 ? 1 : 1 / n + i * step;
  return weights;
}

/**
 * Makes the estimator of trials.
 * @param observations for each parameter, of the same n trials
 * @param weights [n] of the trials; the prior weighs 1
 */
export function parzenEstimator(
  observations: readonly Observations[],
  weights: Float64Array,
): ParzenEstimator {
  const shares = sharesOf(weights);
  const parameters = observations.map(kernelsOf);
  return {
    sample(random, count) {
      const picked = pick(shares, random, count);
      const points: Float64Array[] = [];
      // Optuna draws for the choices first, then for the numbers.
      for (const wanted of [false, true]) {
        parameters.forEach((kernels, i) => {
          if (kernels.numeric === wanted) points[i] = kernels.draw(picked, uniforms(random, count));
        });
      }
      return points;
    },
    logDensity(points) {
      const constants = shares.map(Math.log);
      for (const kernels of parameters) kernels.addConstants(constants);
      const bells: [BellKernels, Float64Array][] = [];
      const tables: [TableKernels, Float64Array][] = [];
      parameters.forEach((kernels, i) => {
        if (kernels.form === 'table') tables.push([kernels, points[i]!]);
        else bells.push([kernels, kernels.scaled(points[i]!)]);
      });
      if (bells.length === 0) return sumsOfAll(constants, tables);
      const sum = sumOfNear(constants);
      return points[0]!.map((_, i) =>
        sum(
          bells.map(([kernels, values]) => [kernels, values[i]!]),
          tables.map(([kernels, values]) => kernels.at(values[i]!)),
        ),
      );
    },
  };
}

/** Weights with that of the prior, scaled to sum to 1. */
function sharesOf(weights: Float64Array): Float64Array {
  const shares = new Float64Array(weights.length + 1).fill(1);
  shares.set(weights);
  const sum = pairwiseSum(shares);
  return shares.map((weight) => weight / sum);
}

const uniforms = (random: MersenneTwister, count: number): Float64Array =>
  new Float64Array(count).map(() => random.uniform());

/** Draws kernels by their shares, as `RandomState.choice`. */
function pick(shares: Float64Array, random: MersenneTwister, count: number): Int32Array {
  let sum = 0;
  const upTo = shares.map((share) => {
    sum += share;
    return sum;
  });
  return Int32Array.from(uniforms(random, count), (u) => {
    const k = upTo.findIndex((share) => share / sum > u);
    return k < 0 ? shares.length - 1 : k;
  });
}

/**
 * Log densities at points of choices and steps. They repeat, so each is computed once; and they may be equally good, so the
 * sum over the kernels is Optuna's to the order of additions.
 */
function sumsOfAll(
  constants: Float64Array,
  tables: readonly [TableKernels, Float64Array][],
): Float64Array {
  const known = new Map<string, number>();
  const terms = new Float64Array(constants.length);
  const sumAt = (point: number): number => {
    terms.fill(0);
    for (const [kernels, values] of tables) addTable(terms, kernels.at(values[point]!));
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < terms.length; k += 1) {
      terms[k]! += constants[k]!;
      if (terms[k]! > largest) largest = terms[k]!;
    }
    for (let k = 0; k < terms.length; k += 1) terms[k] = Math.exp(terms[k]! - largest);
    return Math.log(pairwiseSum(terms)) + largest;
  };
  return tables[0]![1].map((_, point) => {
    const key = tables.map(([, values]) => values[point]).join();
    const density = known.get(key) ?? sumAt(point);
    known.set(key, density);
    return density;
  });
}

function addTable(terms: Float64Array, at: (kernel: number) => number): void {
  for (let k = 0; k < terms.length; k += 1) terms[k]! += at(k);
}

/** Terms this far below one that counts are lost in the sum: e^-75 is 2^-108. */
const negligible = 75;

/**
 * Makes the function that takes a point, value by value or looked up, to its log density. With bells few kernels are near a
 * point, and only those are followed through all parameters: but for the cuts a term can only fall, and the prior's is
 * nowhere small.
 */
function sumOfNear(constants: Float64Array) {
  const terms = new Float64Array(constants.length);
  const near = new Int32Array(constants.length);
  const last = constants.length - 1;
  return (
    bells: readonly [kernels: BellKernels, value: number][],
    tables: readonly ((kernel: number) => number)[],
  ): number => {
    let prior = constants[last]!;
    for (const [kernels, x] of bells) prior += kernels.cutOf(last) - distance(kernels, last, x);
    for (const at of tables) prior += at(last);
    const least = prior - negligible - bells.length * mostCut;
    terms.set(constants);
    // In the order of the first parameter those near in it stand together, and the processor foresees which are kept.
    near.set(bells[0]![0].byMean);
    let count = near.length;
    for (const [kernels, x] of bells) count = lowerByBells(terms, near, count, kernels, x, least);
    for (let i = 0; i < count; i += 1) {
      for (const [kernels] of bells) terms[near[i]!]! += kernels.cutOf(near[i]!);
    }
    for (const at of tables) count = lowerByTable(terms, near, count, at, least);
    return logSumExp(terms, near, count);
  };
}

/** Lowers the terms of the first `count` kernels in `near`; moves those still above `least` to its front and counts them. */
function lowerByBells(
  terms: Float64Array,
  near: Int32Array,
  count: number,
  { means, inverse }: BellKernels,
  x: number,
  least: number,
): number {
  let kept = 0;
  for (let i = 0; i < count; i += 1) {
    const k = near[i]!;
    const z = (x - means[k]!) * inverse[k]!;
    const term = terms[k]! - z * z;
    terms[k] = term;
    near[kept] = k;
    kept += term > least ? 1 : 0;
  }
  return kept;
}

/** As {@link lowerByBells}. */
function lowerByTable(
  terms: Float64Array,
  near: Int32Array,
  count: number,
  at: (kernel: number) => number,
  least: number,
): number {
  let kept = 0;
  for (let i = 0; i < count; i += 1) {
    const k = near[i]!;
    terms[k]! += at(k);
    near[kept] = k;
    kept += terms[k]! > least ? 1 : 0;
  }
  return kept;
}

/** Half the square of a value's distance from a kernel's mean, in widths. */
function distance({ means, inverse }: BellKernels, kernel: number, value: number): number {
  const z = (value - means[kernel]!) * inverse[kernel]!;
  return z * z;
}

/** Logarithm of the sum of exponentials of the terms of the first `count` kernels in `near`. */
function logSumExp(terms: Float64Array, near: Int32Array, count: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += 1) largest = Math.max(largest, terms[near[i]!]!);
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += Math.exp(terms[near[i]!]! - largest);
  return Math.log(sum) + largest;
}
