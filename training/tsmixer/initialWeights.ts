// Where a training begins: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward networks".

import { createRandom } from '../../core/index.ts';
import {
  type TsmixerParameter,
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerParameterCount,
  tsmixerParameters,
} from '../../models/score/index.ts';

/**
 * Draws the parameters that a training begins with: matrices Glorot uniform, biases 0, scales of norms 1. Each matrix
 * has a stream of its own, decided by seed and name.
 */
export function initialWeights(shape: TsmixerShape, seed: number): TsmixerWeights {
  const values = new Float32Array(tsmixerParameterCount(shape));
  for (const parameter of tsmixerParameters(shape)) {
    const { name, offset, size } = parameter;
    const part = values.subarray(offset, offset + size);
    if (isMatrix(parameter)) drawGlorot(part, parameter, seed);
    else if (isScale(name)) part.fill(1);
  }
  return { shape, values };
}

/** A norm's gamma and beta are [L, C] too. */
const isMatrix = ({ name, dims }: TsmixerParameter): boolean =>
  dims.length === 2 && name.endsWith('.weight');
const isScale = (name: string): boolean => name.endsWith('.gamma') || name === 'revin.weight';

function drawGlorot(part: Float32Array, { name, dims }: TsmixerParameter, seed: number): void {
  const random = createRandom(seed).fork(name);
  const limit = Math.sqrt(6 / (dims[0]! + dims[1]!));
  for (let i = 0; i < part.length; i += 1) part[i] = limit * (2 * random.uniform() - 1);
}
