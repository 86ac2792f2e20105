// The windows of bars that networks learn from. Their channels are normalised by training rows alone, in each fold anew.

import type { SequenceView } from '../../data/dataset/index.ts';
import type { TsmixerNetwork } from '../../models/score/index.ts';

/** Name, mean, standard deviation and cut of each channel. */
export type Channels = TsmixerNetwork['channels'];

/** The rows whose whole window is there; only those train or test a network. */
export function rowsWithWindow(view: SequenceView, rows: Int32Array): Int32Array {
  return rows.filter((row) => view.windowsValid[row] === 1);
}

/**
 * Mean and standard deviation of each channel over the newest bars of the given rows. A channel that is constant there
 * has deviation 1: it then counts as 0 for as long as it stays so.
 * @param rows that train, all with a valid window
 * @param clip where a normalised value is cut, in standard deviations
 */
export function fitChannels(view: SequenceView, rows: Int32Array, clip: number): Channels {
  const { nChannels, series, windowEnds } = view;
  return view.channels.map((name, c) => {
    const value = (row: number): number => series[windowEnds[row]! * nChannels + c]!;
    const mean = rows.reduce((sum, row) => sum + value(row), 0) / rows.length;
    const square = rows.reduce((sum, row) => sum + (value(row) - mean) ** 2, 0) / rows.length;
    const constant = rows.every((row) => value(row) === value(rows[0]!));
    return { name, mean, std: constant ? 1 : Math.sqrt(square), clip };
  });
}
