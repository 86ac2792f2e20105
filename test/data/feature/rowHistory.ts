// The rows of a whole panel, kept, and compared bit for bit.

import { createFeatureStream, type FeatureSpec } from '../../../data/feature/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';

/** The rows at every time, [T] of [S*F]. */
export function history(panel: BarPanel, spec: FeatureSpec): Float32Array[] {
  const stream = createFeatureStream(spec, panel.symbols.length, panel.timeframeMs);
  return Array.from(panel.openMs, (_, t) => {
    stream.push(panel, t);
    return stream.rows.slice();
  });
}

/** The bits of float32 numbers. */
export const bitsOf = (rows: Float32Array): Uint32Array =>
  new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
