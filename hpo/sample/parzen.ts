// Parzen estimators of TPE: a density over several parameters as a mixture of products of kernels, one kernel for each
// observed trial and a wide one as prior. Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"; widths and
// weights as in Optuna 5.0 (Watanabe 2023, "Tree-structured Parzen estimator: understanding its algorithm components").

import type { CategoricalDistribution, Distribution } from '../study/index.ts';
import { argsort } from './argsort.ts';
import type { MersenneTwister } from './mt19937.ts';
import { logMass, quantile } from './truncatedNormal.ts';

type NumericDistribution = Exclude<Distribution, CategoricalDistribution>;

/** What was observed of one parameter. */
export interface Observations {
  readonly distribution: Distribution;
  /** [n] internal values; of a `log` distribution their logarithms */
  readonly values: Float64Array;
  /** [n] positions in nearly ascending order of values; see {@link argsort} */
  readonly hint?: Int32Array;
}

/** A density over parameters. Points are columns: one array of internal values for each parameter. */
export interface ParzenEstimator {
  /** Draws points. */
  sample(random: MersenneTwister, count: number): Float64Array[];
  /** Logarithm of the density (of whole steps: of the probability) at points, up to -Infinity. */
  logDensity(points: readonly Float64Array[]): Float64Array;
}

/** The kernels of one parameter, the prior's last. */
interface Kernels {
  readonly numeric: boolean;
  /**
   * Draws one value for each of the kernels that were picked.
   * @param uniforms [picked] uniform numbers in [0, 1)
   */
  draw(picked: Int32Array, uniforms: Float64Array): Float64Array;
  /** Adds the part of each kernel's log density that does not depend on the point to `sums` [kernels]. */
  addConstants(sums: Float64Array): void;
  /** Adds what depends on the points: `sums` [points x kernels]. */
  addDensities(points: Float64Array, sums: Float64Array): void;
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
  const shares = normalised(Float64Array.of(...weights, 1));
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
      const sums = new Float64Array(points[0]!.length * shares.length);
      parameters.forEach((kernels, i) => {
        kernels.addConstants(constants);
        kernels.addDensities(points[i]!, sums);
      });
      return points[0]!.map((_, i) => logSumExp(sums, i * shares.length, constants));
    },
  };
}

/** Scaled to sum to 1. */
function normalised(weights: Float64Array): Float64Array {
  const sum = pairwiseSum(weights, 0, weights.length);
  return weights.map((weight) => weight / sum);
}

const uniforms = (random: MersenneTwister, count: number): Float64Array =>
  Float64Array.from({ length: count }, () => random.uniform());

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

/** Logarithm of the sum of exponentials of `constants` plus as many `terms` from `start`, which it uses up. */
function logSumExp(terms: Float64Array, start: number, constants: Float64Array): number {
  const end = start + constants.length;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += 1) {
    terms[i]! += constants[i - start]!;
    if (terms[i]! > largest) largest = terms[i]!;
  }
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  for (let i = start; i < end; i += 1) {
    const below = terms[i]! - largest;
    // Most kernels are far away and exp is dear: e^-75 is lost in the sum, which is 1 at least, a trillion times over.
    terms[i] = below > -75 ? Math.exp(below) : 0;
  }
  return Math.log(pairwiseSum(terms, start, end)) + largest;
}

/**
 * Sum in numpy's order. Choices may be equally good; which of them comes out best is then decided by how sums are rounded,
 * and Optuna takes that one.
 */
function pairwiseSum(terms: Float64Array, start: number, end: number): number {
  const count = end - start;
  if (count > 128) {
    const middle = start + ((count >> 4) << 3);
    return pairwiseSum(terms, start, middle) + pairwiseSum(terms, middle, end);
  }
  const lanes = new Float64Array(8);
  const inLanes = start + (count & ~7);
  for (let i = start; i < inLanes; i += 1) lanes[(i - start) & 7]! += terms[i]!;
  const [a, b, c, d, e, f, g, h] = lanes as unknown as number[];
  let sum = a! + b! + (c! + d!) + (e! + f! + (g! + h!));
  for (let i = inLanes; i < end; i += 1) sum += terms[i]!;
  return sum;
}

function kernelsOf(observations: Observations): Kernels {
  const { distribution } = observations;
  if (distribution.kind === 'categorical') return choiceKernels(observations, distribution);
  const bells = bellsOf(observations, distribution);
  return distribution.step === null
    ? continuousKernels(bells, distribution)
    : discreteKernels(bells, distribution, distribution.step);
}

/** Every choice a little, the observed one most. */
function choiceKernels({ values }: Observations, { choices }: CategoricalDistribution): Kernels {
  const kernels = values.length + 1;
  const tables = choices.map((_, observed) => chances(choices, 1 / kernels, observed));
  tables.push(chances(choices, 1 / kernels, null));
  const tableOf = new Int32Array(kernels).fill(choices.length);
  tableOf.set(values);
  return {
    numeric: false,
    draw: (picked, uniforms) =>
      uniforms.map((u, i) => {
        const table = tables[tableOf[picked[i]!]!]!;
        let choice = 0;
        let sum = table[0]!;
        while (sum < u && choice < choices.length - 1) {
          choice += 1;
          sum += table[choice]!;
        }
        return choice;
      }),
    addConstants() {},
    addDensities(points, sums) {
      const logs = tables.map((table) => table.map(Math.log));
      points.forEach((choice, i) => {
        const start = i * kernels;
        const ofTables = Float64Array.from(logs, (table) => table[choice]!);
        for (let k = 0; k < kernels; k += 1) sums[start + k]! += ofTables[tableOf[k]!]!;
      });
    },
  };
}

/** Probabilities of the choices where one was observed, or none. */
function chances(choices: readonly unknown[], base: number, observed: number | null): Float64Array {
  return normalised(Float64Array.from(choices, (_, i) => (i === observed ? base + 1 : base)));
}

/** Normal distributions, cut to [low, high]; logarithms of it where the distribution is `log`. */
interface Bells {
  readonly means: Float64Array;
  readonly widths: Float64Array;
  readonly low: number;
  readonly high: number;
}

function bellsOf({ values, hint }: Observations, distribution: NumericDistribution): Bells {
  const half = (distribution.step ?? 0) / 2;
  const scale = distribution.log ? Math.log : (x: number) => x;
  const low = scale(distribution.low - half);
  const high = scale(distribution.high + half);
  const means = new Float64Array(values.length + 1);
  means.set(values);
  means[values.length] = 0.5 * (low + high);
  return { means, widths: widthsOf(values, argsort(values, hint), low, high), low, high };
}

/**
 * Standard deviation of each kernel: the distance to its farther neighbour, within limits; last that of the prior.
 * The outermost look at their inner neighbour only.
 */
function widthsOf(
  values: Float64Array,
  order: Int32Array,
  low: number,
  high: number,
): Float64Array {
  const n = values.length;
  const range = high - low;
  const least = range / Math.min(100, n + 2);
  const widths = new Float64Array(n + 1).fill(range);
  for (let i = 0; i < n; i += 1) {
    const value = values[order[i]!]!;
    const left = value - (i > 0 ? values[order[i - 1]!]! : low);
    const right = (i < n - 1 ? values[order[i + 1]!]! : high) - value;
    const gap = n === 1 || (i > 0 && i < n - 1) ? Math.max(left, right) : i === 0 ? right : left;
    widths[order[i]!] = Math.min(Math.max(gap, least), range);
  }
  return widths;
}

/** Draws from bells, on their own scale. */
function drawBells(
  { means, widths, low, high }: Bells,
  picked: Int32Array,
  uniforms: Float64Array,
): Float64Array {
  return uniforms.map((u, i) => {
    const mean = means[picked[i]!]!;
    const width = widths[picked[i]!]!;
    return quantile(u, (low - mean) / width, (high - mean) / width) * width + mean;
  });
}

function continuousKernels(bells: Bells, distribution: NumericDistribution): Kernels {
  const { means, widths, low, high } = bells;
  const kernels = means.length;
  return {
    numeric: true,
    draw: (picked, uniforms) =>
      drawBells(bells, picked, uniforms).map((drawn) => {
        const value = distribution.log ? Math.exp(drawn) : drawn;
        return Math.min(Math.max(value, distribution.low), distribution.high);
      }),
    addConstants(sums) {
      let width = 1;
      let logWidth = 0;
      for (let k = 0; k < kernels; k += 1) {
        // Most widths are the least one: one logarithm serves a whole run of them.
        if (widths[k]! !== width) {
          width = widths[k]!;
          logWidth = Math.log(width);
        }
        const mass = logMass((low - means[k]!) / width, (high - means[k]!) / width);
        sums[k]! -= logRootTwoPi + mass + logWidth;
      }
    },
    addDensities(points, sums) {
      const inverse = widths.map((width) => 1 / width);
      for (let i = 0; i < points.length; i += 1) {
        const x = distribution.log ? Math.log(points[i]!) : points[i]!;
        const start = i * kernels;
        for (let k = 0; k < kernels; k += 1) {
          const z = (x - means[k]!) * inverse[k]!;
          sums[start + k]! -= 0.5 * z * z;
        }
      }
    },
  };
}

const logRootTwoPi = Math.log(Math.sqrt(2 * Math.PI));

/** Kernels of whole steps: each has the bell's mass within half a step, as a share of its mass in the range. */
function discreteKernels(bells: Bells, distribution: NumericDistribution, step: number): Kernels {
  const { low, high } = distribution;
  const scale = distribution.log ? Math.log : (x: number) => x;
  const { kinds, kindOf } = distinctBells(bells);
  const massOf = (kind: number, from: number, to: number) => {
    const mean = bells.means[kind]!;
    const width = bells.widths[kind]!;
    return logMass((from - mean) / width, (to - mean) / width);
  };
  return {
    numeric: true,
    draw: (picked, uniforms) =>
      drawBells(bells, picked, uniforms).map((drawn) => {
        const value = distribution.log ? Math.exp(drawn) : drawn;
        const rounded = low + Math.round((value - low) / step) * step;
        return Math.min(Math.max(rounded, low), high);
      }),
    addConstants(sums) {
      const masses = kinds.map((kind) => massOf(kind, bells.low, bells.high));
      for (let k = 0; k < kindOf.length; k += 1) sums[k]! -= masses[kindOf[k]!]!;
    },
    addDensities(points, sums) {
      const masses = new Map<number, Float64Array>();
      points.forEach((x, i) => {
        const known = masses.get(x);
        const ofKinds =
          known ??
          Float64Array.from(kinds, (kind) =>
            massOf(kind, scale(x - step / 2), scale(x + step / 2)),
          );
        if (known === undefined) masses.set(x, ofKinds);
        const start = i * kindOf.length;
        for (let k = 0; k < kindOf.length; k += 1) sums[start + k]! += ofKinds[kindOf[k]!]!;
      });
    },
  };
}

/** Steps repeat, and with them bells: the first kernel of each kind, and the kind of each kernel. */
function distinctBells({ means, widths }: Bells): { kinds: number[]; kindOf: Int32Array } {
  const kinds: number[] = [];
  const known = new Map<number, Map<number, number>>();
  const kindOf = Int32Array.from(means, (mean, k) => {
    const ofMean = known.get(mean) ?? new Map<number, number>();
    if (ofMean.size === 0) known.set(mean, ofMean);
    const kind = ofMean.get(widths[k]!) ?? kinds.length;
    if (kind === kinds.length) {
      ofMean.set(widths[k]!, kind);
      kinds.push(k);
    }
    return kind;
  });
  return { kinds, kindOf };
}
