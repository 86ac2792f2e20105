// Windows of bars for sequence models: one series per symbol, and for each row the place where its window ends. Windows
// are copied out one at a time; N rows cost N * C numbers, not N * L * C.

import { SluiceError } from '../../core/index.ts';
import { featureSeries, pickFeatures } from '../feature/index.ts';
import type { Dataset } from './types.ts';

/** The sequence windows of a dataset's rows. */
export interface SequenceView {
  /** [S*T, C] symbol-major channels of every bar, NaN = missing */
  readonly series: Float32Array;
  readonly nTokens: number;
  readonly nChannels: number;
  /** Names of the channels. */
  readonly channels: readonly string[];
  /** [n] index of the row's newest bar in `series`; its window is the nTokens bars that end there */
  readonly windowEnds: Int32Array;
  /** [n] 1 if every bar of the window is there with its whole look-back and every channel is a number */
  readonly windowsValid: Uint8Array;
  /** Bars that a whole window depends on: tokens and the look-back of the oldest one. */
  readonly lookbackBars: number;
}

/**
 * Lays out a dataset's bars as sequences.
 * @param channels names of entries of the dataset's feature spec, in the order wanted
 * @throws SluiceError `config_invalid` for an unknown channel, `out_of_range` for a token count below 1
 */
export function createSequenceView(
  dataset: Dataset,
  channels: readonly string[],
  nTokens: number,
): SequenceView {
  if (!Number.isInteger(nTokens) || nTokens < 1) {
    throw new SluiceError('out_of_range', `Expected at least 1 token, found ${nTokens}.`);
  }
  const spec = pickFeatures(dataset.featureSpec, channels);
  const series = featureSeries(spec, dataset.panel, 0, dataset.panel.openMs.length);
  const windowEnds = new Int32Array(dataset.rows);
  const times = dataset.panel.openMs.length;
  for (let row = 0; row < dataset.rows; row += 1) {
    windowEnds[row] = dataset.symbolIndex[row]! * times + dataset.timeIndex[row]!;
  }
  return {
    series,
    nTokens,
    nChannels: channels.length,
    channels,
    windowEnds,
    windowsValid: findValid(dataset, series, channels.length, windowEnds, nTokens),
    lookbackBars: spec.lookbackBars + nTokens - 1,
  };
}

/**
 * Copies the window of a row, oldest token first.
 * @param out [nTokens * nChannels] from `offset` on
 * @throws SluiceError `out_of_range` for a row without a valid window, `length_mismatch` if `out` is too short
 */
export function gatherWindow(view: SequenceView, row: number, out: Float32Array, offset = 0): void {
  const { nTokens, nChannels } = view;
  if (view.windowsValid[row] !== 1) {
    throw new SluiceError(
      'out_of_range',
      `Expected a row with a valid window, found row ${row} of ${view.windowEnds.length}; ask windowsValid first.`,
      { row },
    );
  }
  if (out.length < offset + nTokens * nChannels) {
    throw new SluiceError(
      'length_mismatch',
      `Expected room for ${nTokens} x ${nChannels} numbers from ${offset} on, found ${out.length}.`,
      { row, offset },
    );
  }
  const end = (view.windowEnds[row]! + 1) * nChannels;
  out.set(view.series.subarray(end - nTokens * nChannels, end), offset);
}

function findValid(
  dataset: Dataset,
  series: Float32Array,
  width: number,
  windowEnds: Int32Array,
  nTokens: number,
): Uint8Array {
  const unusable = countUnusable(dataset, series, width);
  const earliest = dataset.featureSpec.lookbackBars - 1 + nTokens - 1;
  const valid = new Uint8Array(windowEnds.length);
  for (let row = 0; row < valid.length; row += 1) {
    if (dataset.timeIndex[row]! < earliest) continue;
    const end = windowEnds[row]! + 1;
    valid[row] = unusable[end]! === unusable[end - nTokens]! ? 1 : 0;
  }
  return valid;
}

/** [S*T+1] bars before this place that are missing or lack a channel. */
function countUnusable({ panel }: Dataset, series: Float32Array, width: number): Int32Array {
  const count = new Int32Array(panel.close.length + 1);
  for (let at = 0; at < panel.close.length; at += 1) {
    let lacking = Number.isNaN(panel.close[at]!);
    for (let c = 0; c < width; c += 1) lacking ||= Number.isNaN(series[at * width + c]!);
    count[at + 1] = count[at]! + (lacking ? 1 : 0);
  }
  return count;
}
