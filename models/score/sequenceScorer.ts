// From raw channels to scores: the normalisation that was fitted in training, then the float64 reference.
// It scores in training, backtests and the check of golden windows: same bits everywhere, no native code.

import { SluiceError } from '../../core/index.ts';
import { forwardLayers, tsmixerLayers } from './tsmixerForward.ts';
import { tsmixerOutputs } from './tsmixerParameters.ts';
import type { SequenceScorer, TsmixerNetwork } from './types.ts';

/**
 * Normalises raw values as a network's channels say: (x - mean) / std, cut at +-clip, NaN becomes 0, the mean of
 * training; rounded to float32, which is what every implementation then starts from.
 * @param values [n*C] row-major, NaN = missing; windows, or a series of which windows are taken
 * @returns [n*C]
 */
export function normaliseSeries(
  values: Float32Array,
  channels: TsmixerNetwork['channels'],
): Float32Array {
  const normalised = new Float32Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const { mean, std, clip } = channels[i % channels.length]!;
    const scaled = (values[i]! - mean) / std;
    normalised[i] = Number.isNaN(scaled) ? 0 : Math.max(-clip, Math.min(clip, scaled));
  }
  return normalised;
}

/**
 * A {@link SequenceScorer} of a network that gives one number per window.
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite`: no such network; from `score`
 *   `length_mismatch` when the array is not rows x tokens x channels
 */
export function sequenceScorer(network: TsmixerNetwork): SequenceScorer {
  const { weights, channels } = network;
  const layers = tsmixerLayers(weights);
  checkChannels(network);
  const { nTokens, nChannels } = weights.shape;
  return {
    nTokens,
    nChannels,
    score: (windows, rows) => forwardLayers(layers, normaliseSeries(windows, channels), rows),
  };
}

function checkChannels({ weights: { shape }, channels }: TsmixerNetwork): void {
  if (channels.length !== shape.nChannels) {
    throw new SluiceError(
      'length_mismatch',
      `The network has ${shape.nChannels} channels; found the normalisation of ${channels.length}.`,
    );
  }
  const outputs = tsmixerOutputs(shape);
  if (outputs !== 1) {
    throw new SluiceError(
      'out_of_range',
      `A scorer gives one number a window; the network ${outputs}.`,
    );
  }
  for (const { name, mean, std, clip } of channels) {
    if (
      Number.isFinite(mean) &&
      Number.isFinite(std) &&
      std > 0 &&
      Number.isFinite(clip) &&
      clip > 0
    )
      continue;
    throw new SluiceError(
      'out_of_range',
      `Channel ${name} needs a finite mean, std > 0 and clip > 0; found ${mean}, ${std}, ${clip}.`,
    );
  }
}
