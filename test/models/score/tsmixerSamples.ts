// Shapes, parameters and windows to test networks with.

import type { Random } from '../../../core/index.ts';
import {
  type TsmixerNetwork,
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerParameterCount,
  tsmixerParameters,
} from '../../../models/score/index.ts';

/** A random shape; every size may be 1 or odd. */
export function randomShape(random: Random, largest = 24): TsmixerShape {
  const size = (most: number) => 1 + random.integer(most);
  const nChannels = size(largest);
  const head = random.integer(2) === 0 ? 'flat' : 'temporal';
  return {
    nTokens: size(largest),
    nChannels,
    hidden: size(largest),
    blocks: size(3),
    horizon: size(4),
    head,
    keptChannels: head === 'flat' ? nChannels : size(nChannels),
    activation: random.integer(2) === 0 ? 'relu' : 'gelu',
    revin: head === 'temporal' && random.integer(2) === 0,
  };
}

/** Parameters as a training leaves them: weights by Glorot's scale, gains near 1, small biases. */
export function randomWeights(random: Random, shape: TsmixerShape): TsmixerWeights {
  const values = new Float32Array(tsmixerParameterCount(shape));
  for (const { name, dims, offset, size } of tsmixerParameters(shape)) {
    const isGain = name.endsWith('.gamma') || name === 'revin.weight';
    const isWeight = name.endsWith('.weight') && !isGain;
    const scale = isWeight ? Math.sqrt(2 / (dims[0]! + dims[1]!)) : 0.1;
    for (let i = offset; i < offset + size; i += 1) {
      values[i] = (isGain ? 1 : 0) + scale * Math.max(-3, Math.min(3, random.normal()));
    }
  }
  return { shape, values };
}

/** A network with one score per window and channels of odd scales. */
export function randomNetwork(random: Random, shape: Partial<TsmixerShape> = {}): TsmixerNetwork {
  const nChannels = shape.nChannels ?? 1 + random.integer(8);
  const whole: TsmixerShape = {
    nTokens: 1 + random.integer(16),
    hidden: 1 + random.integer(16),
    blocks: 1 + random.integer(3),
    horizon: 1,
    head: 'flat',
    activation: 'gelu',
    revin: false,
    ...shape,
    nChannels,
    keptChannels: nChannels,
  };
  return {
    weights: randomWeights(random, whole),
    channels: Array.from({ length: nChannels }, (_, c) => ({
      name: `channel_${c}`,
      mean: random.normal(),
      std: 0.01 + random.uniform(),
      clip: 4,
    })),
  };
}

/** [rows*L*C] float32 normal numbers. */
export function randomWindows(random: Random, shape: TsmixerShape, rows: number): Float32Array {
  const size = rows * shape.nTokens * shape.nChannels;
  return Float32Array.from({ length: size }, () => random.normal());
}
