// The two times that no step of a training can beat: its arithmetic at the rate of the fastest matrix product that was
// seen on the device, and the bytes it must move at the rate of a device copy.

import {
  type TsmixerShape,
  tsmixerOutputs,
  tsmixerParameterCount,
} from '../../models/score/index.ts';
import type { Network } from './cases.ts';
import type { Ceilings } from './torchPeer.ts';

/** Operations of a step's matrix products: forward, and twice as many back. */
export function stepFlop({ shape, batch }: Network): number {
  const { nTokens: L, nChannels: C, hidden: F, blocks, head, horizon, keptChannels } = shape;
  const block = 2 * L * L * C + 4 * L * C * F;
  const last = head === 'flat' ? 2 * L * C * horizon : 2 * L * horizon * keptChannels;
  return 3 * batch * (blocks * block + last);
}

/**
 * Bytes that one member's step must read or write in device memory, were everything else kept on the chip: its windows
 * and targets once, and parameters and both moments of AdamW once in and once out.
 */
export function stepBytes({ shape, batch }: Network): number {
  return 4 * (batch * windowNumbers(shape) + 6 * tsmixerParameterCount(shape));
}

const windowNumbers = (shape: TsmixerShape): number =>
  shape.nTokens * shape.nChannels + tsmixerOutputs(shape);

/** Share of the two floors that a step of so many members reaches. */
export function floorShares(of: Network, members: number, stepMs: number, ceilings: Ceilings) {
  const arithmeticMs = (members * stepFlop(of)) / ceilings.tf32_tflops / 1e9;
  const bytesMs = (members * stepBytes(of)) / ceilings.copy_gbytes_per_s / 1e6;
  return {
    flop: members * stepFlop(of),
    bytes: members * stepBytes(of),
    arithmetic_floor_ms: arithmeticMs,
    bytes_floor_ms: bytesMs,
    share_of_arithmetic: arithmeticMs / stepMs,
    share_of_bytes: bytesMs / stepMs,
  };
}
