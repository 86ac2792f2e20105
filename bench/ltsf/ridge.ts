// The linear forecast to beat: one matrix [look-back, horizon] for all channels, in closed form. A window's mean is
// taken out before and put back after. Every window of stride 1 counts, so the moments of train and validation follow
// from sliding sums and no window is ever written out.

import { solvePositiveDefinite } from '../../training/baseline/cholesky.ts';
import type { Windows } from './series.ts';

/** A fitted shared-channel ridge. */
export interface SharedRidge {
  /** the candidate with the smallest validation error */
  readonly lambda: number;
  readonly validationMse: number;
  /** [windows*horizon*width] forecasts of the rows after each window */
  forecast(windowEnds: Int32Array): Float64Array;
}

/** Penalties that are tried, in units of the mean square of a centred window's numbers. */
export const ridgeLambdas: readonly number[] = [10, 1, 0.1, 0.01, 1e-3, 1e-4];

/** Means over windows and channels of the products of centred look-back x and centred future y. */
interface Moments {
  /** [L*L] x x^T */
  readonly gram: Float64Array;
  /** [L*H] x y^T */
  readonly cross: Float64Array;
  /** y . y, summed over the horizon */
  readonly target: number;
}

/** @param values [rows*width] standardised */
export function fitSharedRidge(
  values: Float32Array,
  width: number,
  windows: Windows,
  lookback: number,
  horizon: number,
): SharedRidge {
  const moments = (ends: Int32Array) => windowMoments(values, width, ends, lookback, horizon);
  const [train, validation] = [moments(windows.train), moments(windows.validation)];
  const unit = trace(train.gram, lookback) / lookback;
  let best = {
    lambda: Number.NaN,
    validationMse: Infinity,
    weights: new Float64Array(0) as Float64Array,
  };
  for (const lambda of ridgeLambdas) {
    const penalised = Float64Array.from(train.gram);
    for (let i = 0; i < lookback; i += 1) penalised[i * lookback + i]! += lambda * unit;
    const weights = solvePositiveDefinite(penalised, train.cross, horizon);
    const validationMse = meanSquaredError(validation, weights, lookback, horizon);
    if (validationMse < best.validationMse) best = { lambda, validationMse, weights };
  }
  const { lambda, validationMse, weights } = best;
  return {
    lambda,
    validationMse,
    forecast: (ends) => forecast(values, width, ends, weights, lookback, horizon),
  };
}

const trace = (matrix: Float64Array, n: number): number => {
  let sum = 0;
  for (let i = 0; i < n; i += 1) sum += matrix[i * n + i]!;
  return sum;
};

/** (y - W^T x)^2 per number of the horizon, from the moments alone. */
function meanSquaredError(
  { gram, cross, target }: Moments,
  weights: Float64Array,
  lookback: number,
  horizon: number,
): number {
  let sum = target;
  const row = new Float64Array(horizon);
  for (let i = 0; i < lookback; i += 1) {
    row.fill(0);
    for (let k = 0; k < lookback; k += 1) {
      const scale = gram[i * lookback + k]!;
      for (let h = 0; h < horizon; h += 1) row[h]! += scale * weights[k * horizon + h]!;
    }
    for (let h = 0; h < horizon; h += 1) {
      const at = i * horizon + h;
      sum += weights[at]! * (row[h]! - 2 * cross[at]!);
    }
  }
  return sum / horizon;
}

function windowMoments(
  values: Float32Array,
  width: number,
  windowEnds: Int32Array,
  lookback: number,
  horizon: number,
): Moments {
  const size = lookback + horizon;
  const products = new Float64Array(size * size);
  for (let channel = 0; channel < width; channel += 1) {
    addSlidingProducts(products, values, width, channel, windowEnds, lookback, size);
  }
  centre(products, size, lookback);
  const count = windowEnds.length * width;
  const gram = new Float64Array(lookback * lookback);
  const cross = new Float64Array(lookback * horizon);
  for (let i = 0; i < lookback; i += 1) {
    const row = products.subarray(i * size, (i + 1) * size).map((v) => v / count);
    gram.set(row.subarray(0, lookback), i * lookback);
    cross.set(row.subarray(lookback), i * horizon);
  }
  let target = 0;
  for (let i = lookback; i < size; i += 1) target += products[i * size + i]! / count;
  return { gram, cross, target };
}

/** products[i][j] += sum over windows of z_i z_j, z = a window with its future; one step down the diagonal is one number out, one in. */
function addSlidingProducts(
  products: Float64Array,
  values: Float32Array,
  width: number,
  channel: number,
  windowEnds: Int32Array,
  lookback: number,
  size: number,
): void {
  const count = windowEnds.length; // consecutive rows
  const first = windowEnds[0]! - lookback + 1;
  const z = Float64Array.from(
    { length: count + size - 1 },
    (_, i) => values[(first + i) * width + channel]!,
  );
  for (let lag = 0; lag < size; lag += 1) {
    let sum = 0;
    for (let w = 0; w < count; w += 1) sum += z[w]! * z[w + lag]!;
    for (let i = 0; i + lag < size; i += 1) {
      const j = i + lag;
      products[i * size + j]! += sum;
      if (lag > 0) products[j * size + i]! += sum;
      sum += z[count + i]! * z[count + j]! - z[i]! * z[j]!;
    }
  }
}

/** P M P^T in place, where P takes the mean of the first `lookback` numbers out of all: rows first, then columns. */
function centre(products: Float64Array, size: number, lookback: number): void {
  const mean = new Float64Array(size);
  for (let i = 0; i < lookback; i += 1) {
    for (let j = 0; j < size; j += 1) mean[j]! += products[i * size + j]! / lookback;
  }
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) products[i * size + j]! -= mean[j]!;
  }
  for (let i = 0; i < size; i += 1) {
    const row = products.subarray(i * size, (i + 1) * size);
    let level = 0;
    for (let j = 0; j < lookback; j += 1) level += row[j]! / lookback;
    for (let j = 0; j < size; j += 1) row[j]! -= level;
  }
}

function forecast(
  values: Float32Array,
  width: number,
  windowEnds: Int32Array,
  weights: Float64Array,
  lookback: number,
  horizon: number,
): Float64Array {
  const out = new Float64Array(windowEnds.length * horizon * width);
  const sums = new Float64Array(horizon);
  for (const [w, end] of windowEnds.entries()) {
    for (let channel = 0; channel < width; channel += 1) {
      const at = (l: number) => values[(end - lookback + 1 + l) * width + channel]!;
      let mean = 0;
      for (let l = 0; l < lookback; l += 1) mean += at(l) / lookback;
      sums.fill(mean);
      for (let l = 0; l < lookback; l += 1) {
        const x = at(l) - mean;
        for (let h = 0; h < horizon; h += 1) sums[h]! += x * weights[l * horizon + h]!;
      }
      for (let h = 0; h < horizon; h += 1) out[(w * horizon + h) * width + channel] = sums[h]!;
    }
  }
  return out;
}
