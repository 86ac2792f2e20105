// How far a float32 implementation may lie from the float64 reference, and why.
//
// A number of the window meets K roundings on the longest way to an output: every reduction of length n adds n of
// them. Roundings taken as independent with mean zero, the product of K factors 1 + d, |d| <= u = 2^-24, stays within
// exp(lambda sqrt(K) u) - 1 of 1, save with a chance of 2 exp(-lambda^2 / 2): Higham and Mary 2019, "A new approach to
// probabilistic rounding error analysis", theorem 2.4. lambda = 6: 3e-8.

import { checkWindows } from './tsmixerCheck.ts';
import {
  keptOf,
  type TsmixerLayers,
  type TsmixerTrunk,
  tsmixerLayers,
  tsmixerTrunk,
} from './tsmixerForward.ts';
import { tsmixerOutputs } from './tsmixerParameters.ts';
import type { TsmixerShape, TsmixerWeights } from './types.ts';

const unitRoundoff = 2 ** -24;
const lambda = 6;

/** Roundings that an activation, a bias and a residual, or the few steps of a norm add to its reductions. */
const perActivation = 8;
const perSum = 2;
const perNorm = 8;

/**
 * Relative bound for float32 outputs of a network of this shape, relative to the magnitude that
 * {@link tsmixerTolerances} takes from the network and the window.
 */
export function tsmixerErrorBound(shape: TsmixerShape): number {
  const { nTokens: L, nChannels: C, hidden: F } = shape;
  const norm = 2 * L * C + perNorm;
  const time = norm + L + perActivation + perSum;
  const feature = norm + C + perActivation + F + perSum;
  const head = (shape.head === 'flat' ? L * C : L) + perSum;
  const revin = shape.revin ? 2 * L + 2 * perNorm : 0;
  const roundings = shape.blocks * (time + feature) + head + revin;
  return Math.expm1(lambda * Math.sqrt(roundings) * unitRoundoff);
}

/**
 * Largest distance to `tsmixerForward` that rounding explains, per output: {@link tsmixerErrorBound} times a magnitude.
 * The magnitude is |y| + |bias| + the root of the sum of squares of the head's products, which is what their
 * independent errors add up to; times the worst root of mean square over variance of the layer norms, as much is lost
 * where nearly equal numbers are centred before they are squared; with RevIN carried through its way back.
 * @param windows [n*L*C] normalised
 * @returns [n*O]
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite`
 */
export function tsmixerTolerances(
  weights: TsmixerWeights,
  windows: Float32Array | Float64Array,
  rows: number,
): Float64Array {
  const { shape } = weights;
  const layers = tsmixerLayers(weights);
  checkWindows(shape, windows, rows);
  const bound = tsmixerErrorBound(shape);
  const outputs = tsmixerOutputs(shape);
  const tolerances = new Float64Array(rows * outputs);
  const trunkOf = tsmixerTrunk(layers);
  const size = shape.nTokens * shape.nChannels;
  for (let row = 0; row < rows; row += 1) {
    const trunk = trunkOf(windows.subarray(row * size, (row + 1) * size));
    for (let o = 0; o < outputs; o += 1) {
      tolerances[row * outputs + o] = bound * trunk.condition * magnitude(layers, trunk, o);
    }
  }
  return tolerances;
}

function magnitude({ shape, head, revin }: TsmixerLayers, trunk: TsmixerTrunk, o: number): number {
  const { keptChannels: kept, nTokens: L } = shape;
  const flat = shape.head === 'flat';
  const read = flat ? trunk.x : keptOf(shape, trunk.x);
  const [h, c] = flat ? [o, 0] : [Math.floor(o / kept), o % kept];
  const [length, stride] = flat ? [read.length, 1] : [L, kept];
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < length; i += 1) {
    const product = head.weight[h * length + i]! * read[c + i * stride]!;
    sum += product;
    squares += product * product;
  }
  const bias = head.bias[h]!;
  const inner = Math.abs(sum) + Math.abs(bias) + Math.sqrt(squares);
  if (revin === null) return inner;
  const { mean, std } = trunk;
  const centring = 1 + Math.abs(mean[c]!) / std[c]!;
  return (
    ((inner * centring + Math.abs(revin.bias[c]!)) / Math.abs(revin.weight[c]!)) * std[c]! +
    Math.abs(mean[c]!)
  );
}
