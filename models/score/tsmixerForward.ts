// The TSMixer in float64: slow beside an engine, written to be read, what every other implementation must agree with.
// Source: Chen et al. 2023, "TSMixer: An All-MLP Architecture for Time Series Forecasting" (pre-norm residual blocks);
// RevIN: Kim et al. 2022, with statistics per window and channel.

import { gelu } from './erf.ts';
import { matrixProduct } from './matrixProduct.ts';
import { checkTsmixer, checkWindows } from './tsmixerCheck.ts';
import { tsmixerEpsilon, tsmixerOutputs, tsmixerParameters } from './tsmixerParameters.ts';
import type { TsmixerShape, TsmixerWeights } from './types.ts';

interface Norm {
  /** [L*C] */
  readonly gamma: Float64Array;
  readonly beta: Float64Array;
}

interface Dense {
  /** [out*in] of a layer over tokens, [in*out] of one over channels: as its product wants it */
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

interface Block {
  readonly timeNorm: Norm;
  readonly time: Dense;
  readonly featureNorm: Norm;
  readonly up: Dense;
  readonly down: Dense;
}

/** The parameters of a network in float64, layer by layer. */
export interface TsmixerLayers {
  readonly shape: TsmixerShape;
  readonly blocks: readonly Block[];
  readonly head: Dense;
  /** [C] each */
  readonly revin: { readonly weight: Float64Array; readonly bias: Float64Array } | null;
}

/** What one window becomes before its outputs, and how well its norms were conditioned. */
export interface TsmixerTrunk {
  /** [L*C] what the head reads */
  readonly x: Float64Array;
  /** [C] of the window, with RevIN: mean and root of variance + epsilon */
  readonly mean: Float64Array;
  readonly std: Float64Array;
  /** largest root of mean square over variance that a layer norm met, at least 1 */
  readonly condition: number;
}

/**
 * Scores normalised windows.
 * @param windows [n*L*C] row-major, oldest token first
 * @returns [n*O], O numbers per window as `tsmixerOutputs` says
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite`
 */
export function tsmixerForward(
  weights: TsmixerWeights,
  windows: Float32Array | Float64Array,
  rows: number,
): Float64Array {
  return forwardLayers(tsmixerLayers(weights), windows, rows);
}

/** {@link tsmixerForward} of layers that are there already. */
export function forwardLayers(
  layers: TsmixerLayers,
  windows: Float32Array | Float64Array,
  rows: number,
): Float64Array {
  const { shape } = layers;
  checkWindows(shape, windows, rows);
  const size = shape.nTokens * shape.nChannels;
  const outputs = tsmixerOutputs(shape);
  const scores = new Float64Array(rows * outputs);
  const trunkOf = tsmixerTrunk(layers);
  for (let row = 0; row < rows; row += 1) {
    const trunk = trunkOf(windows.subarray(row * size, (row + 1) * size));
    scores.set(headOf(layers, trunk), row * outputs);
  }
  return scores;
}

/**
 * The layers of a checked network.
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite`
 */
export function tsmixerLayers(weights: TsmixerWeights): TsmixerLayers {
  checkTsmixer(weights);
  const { shape, values } = weights;
  const { nChannels: C, hidden: F } = shape;
  const places = new Map(tsmixerParameters(shape).map((place) => [place.name, place]));
  const of = (name: string): Float64Array => {
    const { offset, size } = places.get(name)!;
    return Float64Array.from(values.subarray(offset, offset + size));
  };
  const norm = (name: string): Norm => ({ gamma: of(`${name}.gamma`), beta: of(`${name}.beta`) });
  const bias = (name: string) => of(`${name}.bias`);
  const blocks = Array.from({ length: shape.blocks }, (_, b): Block => {
    const up = `block${b}.up`;
    const down = `block${b}.down`;
    return {
      timeNorm: norm(`block${b}.norm_time`),
      time: { weight: of(`block${b}.time.weight`), bias: bias(`block${b}.time`) },
      featureNorm: norm(`block${b}.norm_feature`),
      up: { weight: transposed(of(`${up}.weight`), F, C), bias: bias(up) },
      down: { weight: transposed(of(`${down}.weight`), C, F), bias: bias(down) },
    };
  });
  return {
    shape,
    blocks,
    head: { weight: of('head.weight'), bias: bias('head') },
    revin: shape.revin ? { weight: of('revin.weight'), bias: bias('revin') } : null,
  };
}

/** [rows*columns] to [columns*rows] */
function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  return matrix.map((_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** Makes the function of one window [L*C]; its result lives until the next call. */
export function tsmixerTrunk(
  layers: TsmixerLayers,
): (window: Float32Array | Float64Array) => TsmixerTrunk {
  const { shape, blocks, revin } = layers;
  const { nTokens: L, nChannels: C, hidden: F } = shape;
  const x = new Float64Array(L * C);
  const normed = new Float64Array(L * C);
  const mixed = new Float64Array(L * C);
  const hidden = new Float64Array(L * F);
  const mean = new Float64Array(C);
  const std = new Float64Array(C);
  const activate = shape.activation === 'relu' ? relu : gelu;
  return (window) => {
    x.set(window);
    if (revin !== null) normaliseChannels(x, revin, mean, std);
    let condition = 1;
    for (const { timeNorm, time, featureNorm, up, down } of blocks) {
      condition = Math.max(condition, layerNorm(x, timeNorm, normed));
      matrixProduct(time.weight, normed, mixed, [L, L, C]);
      for (let l = 0, i = 0; l < L; l += 1) {
        for (let c = 0; c < C; c += 1, i += 1) x[i]! += activate(mixed[i]! + time.bias[l]!);
      }
      condition = Math.max(condition, layerNorm(x, featureNorm, normed));
      matrixProduct(normed, up.weight, hidden, [L, C, F]);
      for (let i = 0; i < hidden.length; ) {
        for (let f = 0; f < F; f += 1, i += 1) hidden[i] = activate(hidden[i]! + up.bias[f]!);
      }
      matrixProduct(hidden, down.weight, mixed, [L, F, C]);
      for (let i = 0; i < x.length; ) {
        for (let c = 0; c < C; c += 1, i += 1) x[i]! += mixed[i]! + down.bias[c]!;
      }
    }
    return { x, mean, std, condition };
  };
}

const relu = (value: number): number => (value > 0 ? value : 0);

/** Over all numbers of the window. @returns root of mean square over variance, epsilon in both */
function layerNorm(x: Float64Array, { gamma, beta }: Norm, out: Float64Array): number {
  const { mean, variance } = moments(x, 0, 1);
  const scale = 1 / Math.sqrt(variance + tsmixerEpsilon);
  for (let i = 0; i < x.length; i += 1) out[i] = (x[i]! - mean) * scale * gamma[i]! + beta[i]!;
  return Math.sqrt(1 + (mean * mean) / (variance + tsmixerEpsilon));
}

/** RevIN's way in: every channel by its own statistics, which are kept for the way out. */
function normaliseChannels(
  x: Float64Array,
  { weight, bias }: { readonly weight: Float64Array; readonly bias: Float64Array },
  means: Float64Array,
  stds: Float64Array,
): void {
  const C = means.length;
  for (let c = 0; c < C; c += 1) {
    const { mean, variance } = moments(x, c, C);
    const std = Math.sqrt(variance + tsmixerEpsilon);
    for (let i = c; i < x.length; i += C) x[i] = ((x[i]! - mean) / std) * weight[c]! + bias[c]!;
    means[c] = mean;
    stds[c] = std;
  }
}

/** Mean and biased variance of every step-th number. */
function moments(x: Float64Array, from: number, step: number) {
  const count = x.length / step;
  let sum = 0;
  for (let i = from; i < x.length; i += step) sum += x[i]!;
  const mean = sum / count;
  let squares = 0;
  for (let i = from; i < x.length; i += step) squares += (x[i]! - mean) * (x[i]! - mean);
  return { mean, variance: squares / count };
}

/** The outputs [O] of a trunk. */
function headOf({ shape, head, revin }: TsmixerLayers, { x, mean, std }: TsmixerTrunk) {
  const { nTokens: L, horizon: H, keptChannels: kept } = shape;
  const y = new Float64Array(tsmixerOutputs(shape));
  if (shape.head === 'flat') matrixProduct(head.weight, x, y, [H, x.length, 1]);
  else matrixProduct(head.weight, keptOf(shape, x), y, [H, L, kept]);
  for (let o = 0; o < y.length; o += 1) {
    y[o]! += head.bias[Math.floor((o * H) / y.length)]!;
    const c = o % kept;
    if (revin !== null) y[o] = ((y[o]! - revin.bias[c]!) / revin.weight[c]!) * std[c]! + mean[c]!;
  }
  return y;
}

/** The leading kept channels [L*kept] of [L*C]. */
export function keptOf({ nChannels: C, keptChannels: kept }: TsmixerShape, x: Float64Array) {
  return kept === C ? x : x.filter((_, i) => i % C < kept);
}
