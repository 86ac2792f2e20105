// The network of an artifact: windows scaled by the very function that training scaled with, then ONNX Runtime.

import { normaliseSeries, type TsmixerNetwork } from '../../models/score/index.ts';
import type { OnnxSession } from './session.ts';
import type { LoadedNetwork } from './types.ts';

/** A network that scores through a session of its graph. */
export function sessionNetwork(network: TsmixerNetwork, session: OnnxSession): LoadedNetwork {
  const { channels, weights } = network;
  const normalised = (windows: Float32Array) => normaliseSeries(windows, channels);
  return {
    nTokens: weights.shape.nTokens,
    channels: channels.map(({ name }) => name),
    score: (windows, rows) => session.run(normalised(windows), rows),
    async contributions(window) {
      const batch = ablations(normalised(window), channels.length);
      const [whole, ...without] = await session.run(batch, channels.length + 2);
      const base = without.pop()!;
      return { base, contributions: Float64Array.from(without, (score) => whole! - score) };
    },
  };
}

/**
 * The window, the window without each of its channels, and without any: a normalised channel is absent at 0.
 * @returns [(C+2)*L*C]
 */
function ablations(window: Float32Array, channels: number): Float32Array {
  const batch = new Float32Array((channels + 2) * window.length);
  for (let row = 0; row <= channels; row += 1) batch.set(window, row * window.length);
  for (let channel = 0; channel < channels; channel += 1) {
    const from = (channel + 1) * window.length;
    for (let at = channel; at < window.length; at += channels) batch[from + at] = 0;
  }
  return batch;
}
