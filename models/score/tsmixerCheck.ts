// What makes numbers a TSMixer: checked before anything is computed with them.

import { SluiceError } from '../../core/index.ts';
import { tsmixerParameterCount, tsmixerParameters } from './tsmixerParameters.ts';
import type { TsmixerShape, TsmixerWeights } from './types.ts';

/** Beyond this the flat vector would not fit into one typed array. */
const maxParameters = 2 ** 28;
/** A list of parameters is made before anything else is known of a network. */
const maxBlocks = 1024;

/** First reason why a shape describes no network, or null. */
export function tsmixerShapeFault(shape: TsmixerShape): string | null {
  const { nTokens, nChannels, hidden, blocks, horizon, keptChannels, head, revin } = shape;
  const sizes = { nTokens, nChannels, hidden, blocks, horizon, keptChannels };
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) return `${name} is ${size}, expected 1 or more`;
  }
  if (blocks > maxBlocks) return `blocks is ${blocks}, at most ${maxBlocks}`;
  if (keptChannels > nChannels) return `keptChannels ${keptChannels} of ${nChannels} channels`;
  if (head === 'flat' && keptChannels !== nChannels) return 'a flat head keeps all channels';
  if (revin && head !== 'temporal') return 'RevIN needs a temporal head';
  const perBlock = nTokens * (nTokens + 4 * nChannels) + 2 * nChannels * hidden;
  const headInput = head === 'flat' ? nTokens * nChannels : nTokens;
  const size = blocks * perBlock + horizon * headInput;
  return size > maxParameters ? `it has ${size} parameters, at most ${maxParameters}` : null;
}

/**
 * Checks a network: its shape, the number of its parameters, that all are finite and RevIN can be undone.
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite`
 */
export function checkTsmixer({ shape, values }: TsmixerWeights): void {
  const fault = tsmixerShapeFault(shape);
  if (fault !== null) throw new SluiceError('out_of_range', `No TSMixer has this shape: ${fault}.`);
  const count = tsmixerParameterCount(shape);
  if (values.length !== count) {
    throw new SluiceError(
      'length_mismatch',
      `A TSMixer of this shape has ${count} parameters; found ${values.length}.`,
      { expected: count, found: values.length },
    );
  }
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    throw new SluiceError('non_finite', `Parameter ${nameAt(shape, at)} is ${values[at]}.`);
  if (!shape.revin) return;
  const [weight] = tsmixerParameters(shape).slice(-2);
  const scales = values.subarray(weight!.offset, weight!.offset + weight!.size);
  if (scales.includes(0)) {
    throw new SluiceError('out_of_range', 'A RevIN weight is 0, which cannot be divided by.');
  }
}

function nameAt(shape: TsmixerShape, at: number): string {
  const parameter = tsmixerParameters(shape).findLast(({ offset }) => offset <= at)!;
  return `${at - parameter.offset} of ${parameter.name}`;
}

/**
 * Checks windows [rows*L*C].
 * @throws SluiceError `length_mismatch` | `non_finite`
 */
export function checkWindows(
  { nTokens, nChannels }: TsmixerShape,
  windows: Float32Array | Float64Array,
  rows: number,
): void {
  const expected = rows * nTokens * nChannels;
  if (windows.length !== expected) {
    throw new SluiceError(
      'length_mismatch',
      `Expected ${rows} windows of ${nTokens} tokens x ${nChannels} channels, ${expected} numbers; found ${windows.length}.`,
      { rows, nTokens, nChannels, length: windows.length },
    );
  }
  for (let i = 0; i < windows.length; i += 1) {
    if (Number.isFinite(windows[i]!)) continue;
    throw new SluiceError('non_finite', `Number ${i} of the windows is ${windows[i]}.`, { at: i });
  }
}
