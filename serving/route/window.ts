// Windows of bars from a caller: raw channel values, oldest bar first. A missing value is the channel's training mean.

import type { LoadedNetwork } from '../load/index.ts';
import { describe, putNumber } from './featureRow.ts';
import { type Refusal, refuse } from './refusal.ts';

/** What a window must be. */
export type WindowShape = Pick<LoadedNetwork, 'nTokens' | 'channels'>;

/**
 * Writes one value as float32; null and NaN mean missing.
 * @returns a refusal `malformed` for anything else than a number in float32's range
 */
export function putWindowValue(
  into: Float32Array,
  at: number,
  value: unknown,
  { nTokens, channels }: WindowShape,
): Refusal | undefined {
  if (putNumber(into, at, value) !== 'other') return undefined;
  const token = Math.floor(at / channels.length);
  return refuse(
    'malformed',
    `Channel ${channels[at % channels.length]} of bar ${token % nTokens} in the sequence of row ${Math.floor(token / nTokens)} takes a finite float32 number or null; found ${describe(value)}.`,
  );
}

/**
 * Writes the window of one row.
 * @param at index of the window's first value in `into`
 * @returns a refusal `malformed` for another number of bars or channels, or a bad value
 */
export function putWindow(
  into: Float32Array,
  at: number,
  bars: readonly (readonly unknown[])[],
  shape: WindowShape,
): Refusal | undefined {
  const { nTokens, channels } = shape;
  const width = channels.length;
  const wrong = bars.length === nTokens ? bars.find((bar) => bar.length !== width) : bars;
  if (wrong !== undefined) {
    const found = wrong === bars ? `${bars.length} bars` : `a bar of ${wrong.length} values`;
    return refuse(
      'malformed',
      `sequence holds ${nTokens} bars, oldest first, of ${width} values each: ${channels.join(', ')}; found ${found}.`,
    );
  }
  for (let i = 0; i < nTokens * width; i += 1) {
    const value = bars[Math.floor(i / width)]![i % width];
    const refusal = putWindowValue(into, at + i, value, shape);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
