// Bars of several symbols on one uniform time grid. A bar that is not there stays not there: NaN in every field.

/** Bits of {@link BarPanel.quality}; 0 means a clean bar. */
export const barQuality = { missing: 1, zeroVolume: 2, microsecondStamp: 4 } as const;

/** Where a panel's bytes came from; written by the code that read them. */
export interface BarSource {
  /** File name without folder, or `simulator`. */
  readonly file: string;
  /** sha256 of the file's bytes, hex. */
  readonly sha256: string;
  /** Exchange and market, e.g. `binance_spot`; `simulator` for simulated bars, `unknown` if nobody declared it. */
  readonly venue: string;
}

/** Bars on a grid. All columns are symbol-major: bar t of symbol s stands at `s * openMs.length + t`. */
export interface BarPanel {
  readonly timeframeMs: number;
  /** [S] */
  readonly symbols: readonly string[];
  /** [T] bar open, Unix ms UTC, steps of exactly timeframeMs. */
  readonly openMs: Float64Array;
  /** [S*T] price in quote currency; NaN = no bar. */
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  /** [S*T] base currency. */
  readonly volume: Float64Array;
  /** [S*T] NaN where the source does not carry it. */
  readonly quoteVolume: Float64Array;
  readonly trades: Float64Array;
  readonly takerBuyVolume: Float64Array;
  /** [S*T] bits of {@link barQuality}. */
  readonly quality: Uint8Array;
  /** sha256 of the stored bars: the `data_version`. */
  readonly dataVersion: string;
  /** Index into `sources` for the bar, [S*T]. */
  readonly sourceIndex: Uint8Array;
  readonly sources: readonly BarSource[];
}

/** Columns in which every bar is still missing. @param cells S*T */
export function missingBars(
  cells: number,
): Pick<BarPanel, (typeof numberColumns)[number] | 'quality' | 'sourceIndex'> {
  const column = () => new Float64Array(cells).fill(Number.NaN);
  return {
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column(),
    quoteVolume: column(),
    trades: column(),
    takerBuyVolume: column(),
    quality: new Uint8Array(cells).fill(barQuality.missing),
    sourceIndex: new Uint8Array(cells),
  };
}

const numberColumns = [
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quoteVolume',
  'trades',
  'takerBuyVolume',
] as const;

/** The eight number columns of a panel in the order of the store: open, high, low, close, volume, quote volume, trades, taker buy volume. */
export const barColumns = (panel: BarPanel): readonly Float64Array[] =>
  numberColumns.map((name) => panel[name]);
