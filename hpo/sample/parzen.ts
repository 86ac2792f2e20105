// Parzen estimators of TPE: a density over several parameters as a mixture of products of kernels, one product for each
// observed trial and a wide one as prior. Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"; weights and
// widths as in Optuna 5.0 (Watanabe 2023, "Tree-structured Parzen estimator: understanding its algorithm components").

import { type BellKernels, kernelsOf, type Observations, type TableKernels } from './kernels.ts';
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
      const tables: [TableKernels, Float64Array][] = [];
      const bells: [BellKernels, Float64Array][] = [];
      parameters.forEach((kernels, i) => {
        if (kernels.form === 'table') tables.push([kernels, points[i]!]);
        else bells.push([kernels, kernels.scaled(points[i]!)]);
      });
      const addBells = bellSums(bells);
      const terms = new Float64Array(shares.length);
      return points[0]!.map((_, i) => {
        terms.fill(0);
        for (const [kernels, values] of tables) kernels.addDensities(values[i]!, terms);
        return logSumExp(terms, addBells(i, constants, terms));
      });
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

/** Terms this far below the largest are lost in the sum, which has few of them: e^-75 is 2^-108. */
const negligible = 75;

/**
 * Adds to the terms of a point their constants and the exponents of all bells.
 * @param bells kernels with the values of the points, on the scale of the bells
 * @returns a function that returns the largest term; terms that are negligible beside it need not be complete
 */
function bellSums(bells: readonly [BellKernels, Float64Array][]) {
  const width = bells.length;
  const kernels = bells[0]?.[0].means.length ?? 0;
  // One kernel's numbers lie together, because most kernels are given up after the first few parameters.
  const means = new Float64Array(kernels * width);
  const inverse = new Float64Array(kernels * width);
  bells.forEach(([bell, _], p) => {
    for (let k = 0; k < kernels; k += 1) means[k * width + p] = bell.means[k]!;
    for (let k = 0; k < kernels; k += 1) inverse[k * width + p] = Math.SQRT1_2 / bell.widths[k]!;
  });
  const x = new Float64Array(width);
  return (point: number, constants: Float64Array, terms: Float64Array): number => {
    for (let p = 0; p < width; p += 1) x[p] = bells[p]![1][point]!;
    let largest = Number.NEGATIVE_INFINITY;
    // From the prior on, which is nowhere small: what follows only ever lowers a term.
    for (let k = terms.length - 1; k >= 0; k -= 1) {
      const start = k * width;
      let term = terms[k]! + constants[k]!;
      for (let p = 0; p < width && term > largest - negligible; p += 1) {
        const z = (x[p]! - means[start + p]!) * inverse[start + p]!;
        term -= z * z;
      }
      terms[k] = term;
      if (term > largest) largest = term;
    }
    return largest;
  };
}

/** Logarithm of the sum of exponentials of terms, which it uses up. */
function logSumExp(terms: Float64Array, largest: number): number {
  for (let k = 0; k < terms.length; k += 1) {
    const below = terms[k]! - largest;
    terms[k] = below > -negligible ? Math.exp(below) : 0;
  }
  return Math.log(pairwiseSum(terms)) + largest;
}
