// Cuts rows into contiguous groups of times. A cut never falls between two rows of the same time, so
// that the symbols of one bar are never on both sides.

import { SluiceError } from '../../core/index.ts';

/** Rows lo, lo+1, ..., hi-1. */
export interface RowRange {
  readonly lo: number;
  readonly hi: number;
}

/**
 * Groups of distinct start times, in time order; their numbers of times differ by at most one, the
 * longer groups first (the rule of numpy's `array_split`).
 * @param start [n] sorted
 * @throws SluiceError `out_of_range` if there are fewer distinct times than groups
 */
export function timeGroups(start: Float64Array, count: number): RowRange[] {
  const firstRows = firstRowOfEachTime(start);
  const times = firstRows.length;
  if (!Number.isInteger(count) || count < 2 || count > times) {
    throw new SluiceError(
      'out_of_range',
      `The number of groups must be a whole number from 2 to the ${times} distinct times of the samples; found ${count}.`,
      { count, times },
    );
  }
  const rowAt = (time: number): number => (time < times ? firstRows[time]! : start.length);
  const short = Math.floor(times / count);
  const longer = times % count;
  const cut = (group: number): number => rowAt(group * short + Math.min(group, longer));
  return Array.from({ length: count }, (_, group) => ({ lo: cut(group), hi: cut(group + 1) }));
}

function firstRowOfEachTime(start: Float64Array): number[] {
  const rows: number[] = [];
  for (let i = 0; i < start.length; i += 1) {
    if (i === 0 || start[i] !== start[i - 1]) rows.push(i);
  }
  return rows;
}
