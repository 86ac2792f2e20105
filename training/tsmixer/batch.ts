// Samples copied out for one step of an engine that wants them side by side: O(batch) numbers, never all windows.

import { type TsmixerShape, tsmixerOutputs } from '../../models/score/index.ts';
import type { SequenceSamples } from './types.ts';

/** B samples. */
export interface Batch {
  readonly size: number;
  /** [B*L*C] */
  readonly windows: Float32Array;
  /** [B*O] */
  readonly targets: Float32Array;
  /** [B*O], NaN = none; null without a teacher */
  readonly teacher: Float32Array | null;
  /** [B] */
  readonly weights: Float32Array;
}

/** Copies the given samples. */
export function gatherBatch(
  shape: TsmixerShape,
  samples: SequenceSamples,
  chosen: Int32Array,
): Batch {
  const { nTokens, nChannels } = shape;
  const outputs = tsmixerOutputs(shape);
  const { series, windowEnds, teacher, weights } = samples;
  const windows = new Float32Array(chosen.length * nTokens * nChannels);
  chosen.forEach((sample, i) => {
    const end = windowEnds[sample]! + 1;
    const window = series.subarray((end - nTokens) * nChannels, end * nChannels);
    windows.set(window, i * nTokens * nChannels);
  });
  return {
    size: chosen.length,
    windows,
    targets: gatherTargets(shape, samples, chosen),
    teacher: teacher === null ? null : gatherRows(teacher, outputs, chosen),
    weights: Float32Array.from(chosen, (sample) => weights?.[sample] ?? 1),
  };
}

function gatherTargets(
  shape: TsmixerShape,
  { series, windowEnds, targets }: SequenceSamples,
  chosen: Int32Array,
): Float32Array {
  const outputs = tsmixerOutputs(shape);
  if (targets !== null) return gatherRows(targets, outputs, chosen);
  const kept = shape.keptChannels;
  const out = new Float32Array(chosen.length * outputs);
  chosen.forEach((sample, i) => {
    for (let h = 0; h < shape.horizon; h += 1) {
      const from = (windowEnds[sample]! + 1 + h) * shape.nChannels;
      out.set(series.subarray(from, from + kept), i * outputs + h * kept);
    }
  });
  return out;
}

function gatherRows(values: Float32Array, width: number, chosen: Int32Array): Float32Array {
  const out = new Float32Array(chosen.length * width);
  chosen.forEach((row, i) => {
    out.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return out;
}
