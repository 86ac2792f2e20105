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
      const constants = new Float64Array(shares.length);
      for (let k = 0; k < shares.length; k += 1) constants[k] = Math.log(shares[k]!);
      let common = 0;
      for (const kernels of parameters) common += kernels.addConstants(constants);
      const bells: [BellKernels, Float64Array][] = [];
      const tables: [TableKernels, Float64Array][] = [];
      parameters.forEach((kernels, i) => {
        if (kernels.form === 'table') tables.push([kernels, points[i]!]);
        else bells.push([kernels, kernels.scaled(points[i]!)]);
      });
      if (bells.length === 0) return sumsOfAll(constants, tables);
      const sum = sumOfNear(
        constants,
        bells.map(([kernels]) => kernels),
      );
      return points[0]!.map(
        (_, i) =>
          common +
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
  for (let k = 0; k < shares.length; k += 1) shares[k]! /= sum;
  return shares;
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

/** Terms this far below one that counts are lost in the sum, though there be ten thousand: e^-50 is 2^-72. */
const negligible = 50;

/** A point's value of one parameter, on the scale of its bells. */
type BellValue = readonly [kernels: BellKernels, value: number];

/**
 * Makes the function that takes a point, value by value or looked up, to its log density. With bells few kernels are near a
 * point, and only those are followed through all parameters: but for the cuts a term can only fall, and the prior's is
 * nowhere small.
 */
function sumOfNear(constants: Float64Array, parameters: readonly BellKernels[]) {
  const last = constants.length - 1;
  // In the order of the first parameter those near in it stand together, and the processor foresees which are kept.
  const all = new Int32Array(constants.length).fill(last);
  all.set(parameters[0]!.order, 1);
  const constantsOfAll = new Float64Array(all.length);
  for (let i = 0; i < all.length; i += 1) constantsOfAll[i] = constants[all[i]!]!;
  const near: Near = { kernels: all.slice(), terms: constantsOfAll.slice(), count: 0 };
  const cutOf = sumOfCuts(parameters, constants.length);
  return (bells: readonly BellValue[], tables: readonly ((kernel: number) => number)[]): number => {
    let prior = constants[last]! + cutOf(last);
    for (const [kernels, x] of bells) prior -= distance(kernels, last, x);
    for (const at of tables) prior += at(last);
    const least = prior - negligible - bells.length * mostCut;
    near.kernels.set(all);
    near.terms.set(constantsOfAll);
    near.count = all.length;
    bells.forEach(([kernels, x], i) => {
      lowerByBells(near, kernels, x);
      // Which kernels fall out, the processor cannot foresee: dropping them costs more than lowering them once more.
      if (i % 2 === 0) keepAbove(near, least);
    });
    for (let i = 0; i < near.count; i += 1) near.terms[i]! += cutOf(near.kernels[i]!);
    for (const at of tables) {
      lowerByTable(near, at);
      keepAbove(near, least);
    }
    return logSumExp(near);
  };
}

/** What the cuts of all parameters add to a kernel's term; computed when asked for, as few are near enough to any point. */
function sumOfCuts(parameters: readonly BellKernels[], kernels: number) {
  const known = new Float64Array(kernels).fill(Number.NaN);
  return (k: number): number => {
    if (Number.isNaN(known[k]!)) {
      let sum = 0;
      for (const { cutOf } of parameters) sum += cutOf(k);
      known[k] = sum;
    }
    return known[k]!;
  };
}

/** Kernels that are near a point, and their terms in its density; the first `count` of each array. */
interface Near {
  readonly kernels: Int32Array;
  readonly terms: Float64Array;
  count: number;
}

/** Lowers the terms by a parameter's bells. */
function lowerByBells({ kernels, terms, count }: Near, bells: BellKernels, x: number): void {
  const { means, inverse } = bells;
  for (let i = 0; i < count; i += 1) {
    const k = kernels[i]!;
    const z = (x - means[k]!) * inverse[k]!;
    terms[i]! -= z * z;
  }
}

/** Lowers the terms by a parameter that is looked up. */
function lowerByTable({ kernels, terms, count }: Near, at: (kernel: number) => number): void {
  for (let i = 0; i < count; i += 1) terms[i]! += at(kernels[i]!);
}

/** Drops the kernels whose terms are not above `least`. */
function keepAbove(near: Near, least: number): void {
  const { kernels, terms, count } = near;
  let kept = 0;
  for (let i = 0; i < count; i += 1) {
    const term = terms[i]!;
    if (term > least) {
      kernels[kept] = kernels[i]!;
      terms[kept] = term;
      kept += 1;
    }
  }
  near.count = kept;
}

/** Half the square of a value's distance from a kernel's mean, in widths. */
function distance({ means, inverse }: BellKernels, kernel: number, value: number): number {
  const z = (value - means[kernel]!) * inverse[kernel]!;
  return z * z;
}

/** Logarithm of the sum of exponentials of the terms. */
function logSumExp({ terms, count }: Near): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += 1) largest = Math.max(largest, terms[i]!);
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += Math.exp(terms[i]! - largest);
  return Math.log(sum) + largest;
}
