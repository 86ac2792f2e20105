// Labels have a unit of their own; a network learns them in standard deviations around their mean, and the change of unit
// is folded back into its last linear map, so that it gives label units.

import {
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerOutputs,
  tsmixerParameters,
} from '../../models/score/index.ts';
import type { SequenceSamples } from './types.ts';

/** Per output [O]: what a network learns is (target - mean) / std. */
export interface TargetScale {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

/**
 * Weighted mean and standard deviation (biased) of the training samples' targets; 1 for targets that do not vary.
 * @returns null where targets keep their unit: those of a temporal head are channels of the series, normalised already
 */
export function targetScale(
  shape: TsmixerShape,
  { targets, weights }: SequenceSamples,
  train: Int32Array,
): TargetScale | null {
  if (shape.head === 'temporal' || targets === null) return null;
  const outputs = tsmixerOutputs(shape);
  const average = (term: (sample: number, output: number) => number) => {
    const sums = new Float64Array(outputs);
    let total = 0;
    for (const sample of train) {
      const weight = weights?.[sample] ?? 1;
      for (let o = 0; o < outputs; o += 1) sums[o]! += weight * term(sample, o);
      total += weight;
    }
    return sums.map((sum) => sum / total);
  };
  const mean = average((sample, o) => targets[sample * outputs + o]!);
  const variance = average((sample, o) => (targets[sample * outputs + o]! - mean[o]!) ** 2);
  return { mean, std: variance.map((value) => Math.sqrt(value) || 1) };
}

/** Samples whose targets and teacher are scaled; the windows are those lent. */
export function scaleSamples(samples: SequenceSamples, scale: TargetScale | null): SequenceSamples {
  if (scale === null) return samples;
  const { mean, std } = scale;
  const outputs = mean.length;
  const scaled = (values: Float32Array | null) =>
    values?.map((value, i) => (value - mean[i % outputs]!) / std[i % outputs]!) ?? null;
  return { ...samples, targets: scaled(samples.targets), teacher: scaled(samples.teacher) };
}

/** The network that gives `std * y + mean` where the given one gives y: only its head changes. */
export function foldScale(
  { shape, values }: TsmixerWeights,
  scale: TargetScale | null,
): TsmixerWeights {
  if (scale === null) return { shape, values };
  const folded = values.slice();
  const of = (name: string) =>
    tsmixerParameters(shape).find((parameter) => parameter.name === name)!;
  const weight = of('head.weight');
  const bias = of('head.bias');
  const width = weight.dims[1]!;
  for (let i = 0; i < weight.size; i += 1) {
    folded[weight.offset + i]! *= scale.std[Math.floor(i / width)]!;
  }
  for (let o = 0; o < bias.size; o += 1) {
    const at = bias.offset + o;
    folded[at] = folded[at]! * scale.std[o]! + scale.mean[o]!;
  }
  return { shape, values: folded };
}
