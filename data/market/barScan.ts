// One pass over stored bars in their order (symbol, time): gaps, flags, file order, and the digest of the content.

import { type BarContentHash, createBarContentHash } from './barContent.ts';
import { barQuality } from './barPanel.ts';
import type { RowOrder } from './barReport.ts';
import { stampUnits } from './barRules.ts';

/** Columns of {@link BarScan.take}, in this order; all DOUBLE. */
export const scanColumns =
  'open_ms, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, enum_code(symbol)::DOUBLE, unit::DOUBLE, source::DOUBLE, ordinal::DOUBLE';
const symbolAt = 9;

/** Running counts of one symbol. */
export interface SymbolScan {
  rows: number;
  from: number;
  to: number;
  gaps: number;
  missingBars: number;
  zeroVolume: number;
  microsecondStamps: number;
  secondStamps: number;
}

/** SQL of the quality bits that {@link qualityOf} computes. */
export const qualitySql = `(CASE WHEN volume = 0 THEN ${barQuality.zeroVolume} ELSE 0 END + CASE WHEN unit = ${stampUnits.us} THEN ${barQuality.microsecondStamp} ELSE 0 END)::UTINYINT`;

const qualityOf = (volume: number, unit: number): number =>
  (volume === 0 ? barQuality.zeroVolume : 0) |
  (unit === stampUnits.us ? barQuality.microsecondStamp : 0);

/** Takes the bars chunk by chunk. */
export interface BarScan {
  take(columns: readonly Float64Array[], n: number): void;
  readonly symbols: readonly SymbolScan[];
  /** How the rows of each source lay in their file. */
  orders(): RowOrder[];
  /** Digest of the rows; call once, at the end. */
  digest(): string;
}

/** Starts a scan over `symbolCount` symbols from `sourceCount` files. */
export function createBarScan(
  timeframeMs: number,
  symbolCount: number,
  sourceCount: number,
): BarScan {
  const hash: BarContentHash = createBarContentHash();
  const symbols = Array.from({ length: symbolCount }, emptySymbol);
  const rising = new Float64Array(sourceCount);
  const falling = new Float64Array(sourceCount);
  const lastOrdinal = new Float64Array(sourceCount);
  let at = -1;
  return {
    take(columns, n) {
      const [openMs, , , , , volume] = columns;
      const [symbolIndex, unit, source, ordinal] = columns.slice(symbolAt);
      for (let i = 0; i < n; i += 1) {
        if (symbolIndex![i] !== at) {
          at = symbolIndex![i]!;
          lastOrdinal.fill(-1);
        }
        addBar(symbols[at]!, openMs![i]!, volume![i]!, unit![i]!, timeframeMs);
        const from = source![i]!;
        const before = lastOrdinal[from]!;
        if (before >= 0) (ordinal![i]! > before ? rising : falling)[from]! += 1;
        lastOrdinal[from] = ordinal![i]!;
        hash.push(columns, i, qualityOf(volume![i]!, unit![i]!), from);
      }
    },
    symbols,
    orders: () => Array.from(rising, (up, k) => orderOf(up, falling[k]!)),
    digest: () => hash.digest(),
  };
}

const emptySymbol = (): SymbolScan => ({
  rows: 0,
  from: Number.NaN,
  to: Number.NaN,
  gaps: 0,
  missingBars: 0,
  zeroVolume: 0,
  microsecondStamps: 0,
  secondStamps: 0,
});

function addBar(
  scan: SymbolScan,
  openMs: number,
  volume: number,
  unit: number,
  timeframeMs: number,
): void {
  if (scan.rows === 0) scan.from = openMs;
  else if (openMs - scan.to > timeframeMs) {
    scan.gaps += 1;
    scan.missingBars += (openMs - scan.to) / timeframeMs - 1;
  }
  scan.rows += 1;
  scan.to = openMs;
  if (volume === 0) scan.zeroVolume += 1;
  if (unit === stampUnits.us) scan.microsecondStamps += 1;
  if (unit === stampUnits.s) scan.secondStamps += 1;
}

function orderOf(rising: number, falling: number): RowOrder {
  if (falling === 0) return 'oldest_first';
  return rising === 0 ? 'newest_first' : 'shuffled';
}
