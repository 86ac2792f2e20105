// Kernels of one parameter: what each observed value says of the others. Numbers get bells (cut normal distributions) that are
// as wide as the way to their neighbours, whole steps the mass of a bell within half a step, choices a table.

import type { CategoricalDistribution, Distribution } from '../study/index.ts';
import { argsort } from './argsort.ts';
import { pairwiseSum } from './pairwiseSum.ts';
import { logMass, logRootTwoPi, quantile } from './truncatedNormal.ts';

type NumericDistribution = Exclude<Distribution, CategoricalDistribution>;

/** What was observed of one parameter. */
export interface Observations {
  readonly distribution: Distribution;
  /** [n] internal values; of a `log` distribution their logarithms */
  readonly values: Float64Array;
  /** [n] positions in ascending order of values, as {@link argsort} has them, where that is known */
  readonly order?: Int32Array;
}

/** The kernels of one parameter, one for each observation and last the prior's. */
export type Kernels = TableKernels | BellKernels;

interface Drawing {
  readonly numeric: boolean;
  /**
   * Draws a value from each of the kernels that were picked.
   * @param uniforms [picked] numbers in [0, 1)
   */
  draw(picked: Int32Array, uniforms: Float64Array): Float64Array;
  /**
   * Adds to `terms` [kernels] the part of each kernel's log density that is the same everywhere, but for what all kernels
   * have in common, which it returns.
   */
  addConstants(terms: Float64Array): number;
}

/** Kernels whose probabilities are looked up. */
export interface TableKernels extends Drawing {
  readonly form: 'table';
  /** Of each kernel the part of the log probability of a value that depends on it; at most 0. */
  at(value: number): (kernel: number) => number;
}

/** Kernels whose log densities fall off with the square of the distance. */
export interface BellKernels extends Drawing {
  readonly form: 'bell';
  /** [kernels] on the bells' own scale */
  readonly means: Float64Array;
  /** [kernels] 1 / (width * sqrt 2) */
  readonly inverse: Float64Array;
  /** [kernels - 1] by mean, without the prior */
  readonly order: Int32Array;
  /** Values on the bells' own scale. */
  scaled(values: Float64Array): Float64Array;
  /** What cutting a bell to the range adds to its log density, which `addConstants` leaves out; 0 to {@link mostCut}. */
  cutOf(kernel: number): number;
}

/** Makes the kernels of a parameter. */
export function kernelsOf(observations: Observations): Kernels {
  const { distribution } = observations;
  if (distribution.kind === 'categorical') return choiceKernels(observations, distribution);
  const bells = bellsOf(observations, distribution);
  return distribution.step === null
    ? continuousKernels(bells, distribution)
    : stepKernels(bells, distribution, distribution.step);
}

/** Every choice a little, the observed one most. */
function choiceKernels(
  { values }: Observations,
  { choices }: CategoricalDistribution,
): TableKernels {
  const kernels = values.length + 1;
  const tables = choices.map((_, observed) => chances(choices, 1 / kernels, observed));
  tables.push(chances(choices, 1 / kernels, null));
  const tableOf = new Int32Array(kernels).fill(choices.length);
  tableOf.set(values);
  return {
    form: 'table',
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
    addConstants: () => 0,
    at(choice) {
      const logs = tables.map((table) => Math.log(table[choice]!));
      return (k) => logs[tableOf[k]!]!;
    },
  };
}

/** Probabilities of the choices where one was observed, or none. */
function chances(choices: readonly unknown[], base: number, observed: number | null): Float64Array {
  const weights = Float64Array.from(choices, (_, i) => (i === observed ? base + 1 : base));
  const sum = pairwiseSum(weights);
  return weights.map((weight) => weight / sum);
}

/** Normal distributions, cut to [low, high]; of logarithms where the distribution is `log`. */
interface Bells {
  readonly means: Float64Array;
  readonly widths: Float64Array;
  readonly leastWidth: number;
  /** of the kernels wider than that */
  readonly wide: readonly number[];
  /** of the observations, by mean */
  readonly order: Int32Array;
  readonly low: number;
  readonly high: number;
}

function bellsOf(
  { values, order = argsort(values) }: Observations,
  distribution: NumericDistribution,
): Bells {
  const half = (distribution.step ?? 0) / 2;
  const scale = distribution.log ? Math.log : (x: number) => x;
  const low = scale(distribution.low - half);
  const high = scale(distribution.high + half);
  const means = new Float64Array(values.length + 1);
  means.set(values);
  means[values.length] = 0.5 * (low + high);
  return { means, ...widthsOf(values, order, low, high), order, low, high };
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
): Pick<Bells, 'widths' | 'leastWidth' | 'wide'> {
  const n = values.length;
  const range = high - low;
  const leastWidth = range / Math.min(100, n + 2);
  const widths = new Float64Array(n + 1).fill(leastWidth);
  const wide = [n];
  widths[n] = range;
  let value = n > 0 ? values[order[0]!]! : low;
  let left = n > 1 ? 0 : value - low;
  for (let i = 0; i < n; i += 1) {
    const next = i < n - 1 ? values[order[i + 1]!]! : high;
    const right = i < n - 1 || n === 1 ? next - value : 0;
    if (left > leastWidth || right > leastWidth) {
      widths[order[i]!] = Math.min(Math.max(left, right), range);
      wide.push(order[i]!);
    }
    left = right;
    value = next;
  }
  return { widths, leastWidth, wide };
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

/** A bell that is no wider than the range, and in it, has a third of its mass there at least. */
export const mostCut = -logMass(0, 1);

function continuousKernels(bells: Bells, distribution: NumericDistribution): BellKernels {
  const { means, widths, leastWidth, wide, order, low, high } = bells;
  const isInside = (k: number) => means[k]! >= low && means[k]! <= high;
  const areInside = order.length === 0 || (isInside(order[0]!) && isInside(order.at(-1)!));
  const inverse = new Float64Array(means.length);
  for (let k = 0; k < means.length; k += 1) inverse[k] = Math.SQRT1_2 / widths[k]!;
  return {
    form: 'bell',
    numeric: true,
    means,
    inverse,
    order,
    scaled: (values) => (distribution.log ? values.map(Math.log) : values),
    draw: (picked, uniforms) =>
      drawBells(bells, picked, uniforms).map((drawn) => {
        const value = distribution.log ? Math.exp(drawn) : drawn;
        return Math.min(Math.max(value, distribution.low), distribution.high);
      }),
    addConstants(terms) {
      for (const k of wide) terms[k]! -= Math.log(widths[k]! / leastWidth);
      if (!areInside) {
        for (let k = 0; k < means.length; k += 1) {
          if (!isInside(k)) terms[k]! -= massBetween(bells, k, low, high);
        }
      }
      return -logRootTwoPi - Math.log(leastWidth);
    },
    cutOf: (k) => (isInside(k) ? -massBetween(bells, k, low, high) : 0),
  };
}

/** Kernels of whole steps: each has the bell's mass within half a step, as a share of its mass in the range. */
function stepKernels(bells: Bells, distribution: NumericDistribution, step: number): TableKernels {
  const { low, high } = distribution;
  const scale = distribution.log ? Math.log : (x: number) => x;
  const { kinds, kindOf } = distinctBells(bells);
  const massesAt = new Map<number, Float64Array>();
  return {
    form: 'table',
    numeric: true,
    draw: (picked, uniforms) =>
      drawBells(bells, picked, uniforms).map((drawn) => {
        const value = distribution.log ? Math.exp(drawn) : drawn;
        const rounded = low + Math.round((value - low) / step) * step;
        return Math.min(Math.max(rounded, low), high);
      }),
    addConstants(terms) {
      const masses = kinds.map((k) => massBetween(bells, k, bells.low, bells.high));
      for (let k = 0; k < kindOf.length; k += 1) terms[k]! -= masses[kindOf[k]!]!;
      return 0;
    },
    at(value) {
      const [from, to] = [scale(value - step / 2), scale(value + step / 2)];
      const known = massesAt.get(value);
      const masses = known ?? new Float64Array(kinds.length).fill(Number.NaN);
      if (known === undefined) massesAt.set(value, masses);
      return (k) => {
        const kind = kindOf[k]!;
        if (Number.isNaN(masses[kind]!)) masses[kind] = massBetween(bells, kinds[kind]!, from, to);
        return masses[kind]!;
      };
    },
  };
}

/** Logarithm of a bell's mass between two values. */
function massBetween({ means, widths }: Bells, kernel: number, from: number, to: number): number {
  const [mean, width] = [means[kernel]!, widths[kernel]!];
  return logMass((from - mean) / width, (to - mean) / width);
}

/** Steps repeat, and with them bells: one kernel of each kind, and the kind of each kernel. */
function distinctBells({ means, widths, order }: Bells): {
  readonly kinds: readonly number[];
  readonly kindOf: Int32Array;
} {
  const prior = means.length - 1;
  const kinds = [prior];
  const kindOf = new Int32Array(means.length);
  let firstOfMean = 1;
  for (let i = 0; i < order.length; i += 1) {
    const k = order[i]!;
    if (i > 0 && means[k]! !== means[order[i - 1]!]!) firstOfMean = kinds.length;
    let kind = firstOfMean;
    while (kind < kinds.length && widths[kinds[kind]!]! !== widths[k]!) kind += 1;
    if (kind === kinds.length) kinds.push(k);
    kindOf[k] = kind;
  }
  return { kinds, kindOf };
}
