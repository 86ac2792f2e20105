// The parameters of a TSMixer: their names, shapes and order in the flat vector that engine, artifact and reference share.

import type { TsmixerShape } from './types.ts';

/** One parameter tensor inside the flat vector. */
export interface TsmixerParameter {
  readonly name: string;
  /** row-major; a weight is [out, in] */
  readonly dims: readonly number[];
  /** of its first number in the flat vector */
  readonly offset: number;
  readonly size: number;
}

/**
 * Lists the parameters in their order: per block `norm_time` gamma and beta [L, C], `time` weight [L, L] and bias [L],
 * `norm_feature` gamma and beta [L, C], `up` weight [ff, C] and bias [ff], `down` weight [C, ff] and bias [C]; then
 * `head` weight ([H, L] temporal, [H, L*C] flat) and bias [H]; then with RevIN `revin` weight and bias [C].
 */
export function tsmixerParameters(shape: TsmixerShape): TsmixerParameter[] {
  const { nTokens: L, nChannels: C, hidden: F, horizon: H } = shape;
  const listed: [string, number[]][] = [];
  for (let b = 0; b < shape.blocks; b += 1) {
    listed.push([`block${b}.norm_time.gamma`, [L, C]], [`block${b}.norm_time.beta`, [L, C]]);
    listed.push([`block${b}.time.weight`, [L, L]], [`block${b}.time.bias`, [L]]);
    listed.push([`block${b}.norm_feature.gamma`, [L, C]], [`block${b}.norm_feature.beta`, [L, C]]);
    listed.push([`block${b}.up.weight`, [F, C]], [`block${b}.up.bias`, [F]]);
    listed.push([`block${b}.down.weight`, [C, F]], [`block${b}.down.bias`, [C]]);
  }
  listed.push(['head.weight', [H, shape.head === 'flat' ? L * C : L]], ['head.bias', [H]]);
  if (shape.revin) listed.push(['revin.weight', [C]], ['revin.bias', [C]]);
  let offset = 0;
  return listed.map(([name, dims]) => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    const parameter = { name, dims, offset, size };
    offset += size;
    return parameter;
  });
}

/** Numbers in the flat vector of a shape. */
export function tsmixerParameterCount(shape: TsmixerShape): number {
  const last = tsmixerParameters(shape).at(-1)!;
  return last.offset + last.size;
}

/** Numbers that a model of this shape gives for one window: H, or H * kept channels [H, kept] with a temporal head. */
export function tsmixerOutputs({ head, horizon, keptChannels }: TsmixerShape): number {
  return head === 'flat' ? horizon : horizon * keptChannels;
}

/** Constants of the architecture that every implementation shares: inside the roots of layer norm and of RevIN. */
export const tsmixerEpsilon = 1e-5;
