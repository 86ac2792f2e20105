// The rows of a span of time.

import { SluiceError } from '../../core/index.ts';
import type { Dataset } from './types.ts';

/**
 * Rows whose whole label lies inside a span, both ends included.
 * @returns row numbers, ascending
 * @throws SluiceError `out_of_range` unless fromMs <= toMs
 */
export function rowsBetween(dataset: Dataset, fromMs: number, toMs: number): Int32Array {
  if (!(fromMs <= toMs)) {
    throw new SluiceError(
      'out_of_range',
      `Expected a span that begins before it ends, found ${fromMs} to ${toMs}.`,
      { fromMs, toMs },
    );
  }
  const inside: number[] = [];
  for (let row = 0; row < dataset.rows; row += 1) {
    if (dataset.t0[row]! >= fromMs && dataset.t1[row]! <= toMs) inside.push(row);
  }
  return Int32Array.from(inside);
}
