// The data_version: a sha256 over what the bars say, not over the bytes of a Parquet file, whose layout
// belongs to the library that wrote it.

import { createHash } from 'node:crypto';
import { digestOf } from '../../core/index.ts';
import type { BarSource } from './barPanel.ts';

const blockRows = 65_536;
const doubleColumns = 9;

/** Takes bars in stored order and tells their digest. */
export interface BarContentHash {
  /** @param doubles open_ms, open, high, low, close, volume, quote_volume, trades, taker_buy_volume: one array each, read at `i` */
  push(doubles: readonly Float64Array[], i: number, quality: number, sourceIndex: number): void;
  /** sha256 of all bars pushed, hex; call once. */
  digest(): string;
}

/**
 * Digest of rows: blocks of 65,536 rows, each block column by column, little-endian float64 (every NaN the
 * same NaN), then the quality and source bytes.
 */
export function createBarContentHash(): BarContentHash {
  const hash = createHash('sha256');
  const doubles = Array.from({ length: doubleColumns }, () => new Float64Array(blockRows));
  const quality = new Uint8Array(blockRows);
  const source = new Uint8Array(blockRows);
  let filled = 0;
  const flush = () => {
    for (const column of doubles) hash.update(new Uint8Array(column.buffer, 0, filled * 8));
    hash.update(quality.subarray(0, filled));
    hash.update(source.subarray(0, filled));
    filled = 0;
  };
  return {
    push(columns, i, qualityBits, sourceIndex) {
      for (let k = 0; k < doubleColumns; k += 1) {
        const value = columns[k]![i]!;
        doubles[k]![filled] = Number.isNaN(value) ? Number.NaN : value;
      }
      quality[filled] = qualityBits;
      source[filled] = sourceIndex;
      filled += 1;
      if (filled === blockRows) flush();
    },
    digest() {
      if (filled > 0) flush();
      return hash.digest('hex');
    },
  };
}

/** The `data_version` of bars: their rows, grid, symbols and the digests and venues of their sources (not file names). */
export function dataVersionOf(content: {
  readonly timeframeMs: number;
  readonly symbols: readonly { readonly symbol: string; readonly rows: number }[];
  readonly sources: readonly BarSource[];
  readonly rowsSha256: string;
}): string {
  return digestOf({
    format: 'sluice-bars/1',
    timeframe_ms: content.timeframeMs,
    symbols: content.symbols.map(({ symbol, rows }) => [symbol, rows]),
    sources: content.sources.map(({ sha256, venue }) => ({ sha256, venue })),
    rows_sha256: content.rowsSha256,
  });
}
