// The import again, row by row in plain code: slow, obvious, and sharing nothing with the SQL of data/market.

export interface SlowImport {
  /** `symbol,openMs` -> close of the stored bar. */
  readonly stored: ReadonlyMap<string, number>;
  /** [line, kind] of the refused rows, in line order. */
  readonly refused: readonly (readonly [number, string])[];
}

/** Imports hourly lines (header at line 1) of symbol,ts,open,high,low,close,volume. */
export function slowImport(lines: readonly string[]): SlowImport {
  const stored = new Map<string, number>();
  const kept = new Map<string, string>();
  const refused: (readonly [number, string])[] = [];
  for (const [i, line] of lines.entries()) {
    const kind = judge(line.split(','), kept, stored);
    if (kind !== undefined) refused.push([i + 2, kind]);
  }
  return { stored, refused };
}

function judge(
  cells: readonly string[],
  kept: Map<string, string>,
  stored: Map<string, number>,
): string | undefined {
  if (cells.length !== 7) return 'column_count';
  const [symbol, ts, ...texts] = cells as [string, string, ...string[]];
  const stamp = Number(ts);
  if (ts === '' || Number.isNaN(stamp)) return 'stamp';
  const openMs = toMs(stamp);
  if (openMs === undefined) return 'stamp';
  if (openMs % 3_600_000 !== 0) return 'off_grid';
  const numbers = texts.map((text) => (text === '' ? Number.NaN : Number(text)));
  if (!numbers.every(Number.isFinite)) return 'not_a_number';
  const [open, high, low, close, volume] = numbers as [number, number, number, number, number];
  if (Math.min(open, high, low, close) <= 0) return 'price_not_positive';
  if (high < Math.max(open, low, close) || low > Math.min(open, close)) return 'ohlc';
  if (volume < 0) return 'negative_volume';
  const key = `${symbol},${openMs}`;
  const content = numbers.join();
  const before = kept.get(key);
  if (before !== undefined) {
    return before === content ? 'duplicate_identical' : 'duplicate_conflicting';
  }
  kept.set(key, content);
  stored.set(key, close);
  return undefined;
}

function toMs(stamp: number): number | undefined {
  const year = (ms: number) => new Date(ms).getUTCFullYear();
  return [stamp, stamp / 1000, stamp * 1000].find((ms) => year(ms) >= 1990 && year(ms) < 2100);
}
