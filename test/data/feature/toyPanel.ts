// Small panels made by hand or by seed, for tests of features and datasets.

import { createRandom } from '../../../core/index.ts';
import { type BarPanel, barQuality } from '../../../data/market/index.ts';

/** One symbol's bars by column; a null close is a missing bar, what is left out follows from the close. */
export interface ToyBars {
  readonly symbol: string;
  readonly close: readonly (number | null)[];
  readonly open?: readonly number[];
  readonly high?: readonly number[];
  readonly low?: readonly number[];
  readonly volume?: readonly number[];
  readonly takerBuyVolume?: readonly number[];
  readonly trades?: readonly number[];
}

export const toyTimeframeMs = 3_600_000;
/** 2024-01-01T00:00Z, a Monday. */
export const toyStartMs = Date.UTC(2024, 0, 1);

/** An hourly panel from columns written by hand. */
export function toyPanel(symbols: readonly ToyBars[]): BarPanel {
  const times = symbols[0]!.close.length;
  const panel = emptyPanel(
    symbols.map(({ symbol }) => symbol),
    times,
  );
  symbols.forEach((bars, s) => {
    bars.close.forEach((close, t) => {
      if (close === null) return;
      const volume = bars.volume?.[t] ?? 1;
      setBar(panel, s, t, {
        open: bars.open?.[t] ?? close,
        high: bars.high?.[t] ?? close,
        low: bars.low?.[t] ?? close,
        close,
        volume,
        quoteVolume: volume * close,
        trades: bars.trades?.[t] ?? Number.NaN,
        takerBuyVolume: bars.takerBuyVolume?.[t] ?? Number.NaN,
      });
    });
  });
  return panel;
}

/** What {@link randomPanel} may draw. */
export interface RandomPanelOptions {
  readonly seed: number;
  readonly symbols: number;
  readonly times: number;
  /** Chance that a bar is missing. */
  readonly gapFrac?: number;
  readonly zeroVolumeFrac?: number;
  readonly taker?: boolean;
}

/** A random walk with gaps, bars without volume, and (if wanted) taker volumes. */
export function randomPanel(options: RandomPanelOptions): BarPanel {
  const random = createRandom(options.seed);
  const names = Array.from({ length: options.symbols }, (_, s) => `S${s}`);
  const panel = emptyPanel(names, options.times);
  for (let s = 0; s < options.symbols; s += 1) {
    let price = 100 * Math.exp(random.normal());
    for (let t = 0; t < options.times; t += 1) {
      const open = price;
      price *= Math.exp(0.01 * random.normal());
      const wick = Math.exp(0.003 * Math.abs(random.normal()));
      const idle = random.uniform() < (options.zeroVolumeFrac ?? 0);
      const volume = idle ? 0 : Math.exp(3 + random.normal());
      const bar = {
        open,
        high: Math.max(open, price) * wick,
        low: Math.min(open, price) / wick,
        close: price,
        volume,
        quoteVolume: volume * price,
        trades: idle ? 0 : 1 + random.integer(1000),
        takerBuyVolume: options.taker === false ? Number.NaN : volume * random.uniform(),
      };
      if (random.uniform() >= (options.gapFrac ?? 0)) setBar(panel, s, t, bar);
    }
  }
  return panel;
}

const columns = [
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quoteVolume',
  'trades',
  'takerBuyVolume',
] as const;
type BarNumbers = Readonly<Record<(typeof columns)[number], number>>;

/** A panel of missing bars. */
export function emptyPanel(
  symbols: readonly string[],
  times: number,
  timeframeMs = toyTimeframeMs,
  startMs = toyStartMs,
): BarPanel {
  const column = () => new Float64Array(symbols.length * times).fill(Number.NaN);
  return {
    timeframeMs,
    symbols,
    openMs: Float64Array.from({ length: times }, (_, t) => startMs + t * timeframeMs),
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column(),
    quoteVolume: column(),
    trades: column(),
    takerBuyVolume: column(),
    quality: new Uint8Array(symbols.length * times).fill(barQuality.missing),
    dataVersion: 'd'.repeat(64),
    sourceIndex: new Uint8Array(symbols.length * times),
    sources: [{ file: 'toy.csv', sha256: 'a'.repeat(64), venue: 'unknown' }],
  };
}

/** Writes one bar into a panel; null takes it out. */
export function setBar(panel: BarPanel, s: number, t: number, bar: BarNumbers | null): void {
  const at = s * panel.openMs.length + t;
  for (const column of columns) panel[column][at] = bar === null ? Number.NaN : bar[column];
  if (bar === null) panel.quality[at] = barQuality.missing;
  else panel.quality[at] = bar.volume === 0 ? barQuality.zeroVolume : 0;
}

/** Takes a bar out of a panel. */
export const dropBar = (panel: BarPanel, s: number, t: number): void => setBar(panel, s, t, null);

/** Takes over one bar, or its absence, from another panel of the same shape. */
export function moveBar(from: BarPanel, to: BarPanel, s: number, t: number): void {
  const at = s * from.openMs.length + t;
  for (const column of columns) to[column][at] = from[column][at]!;
  to.quality[at] = from.quality[at]!;
}

/** A panel of its own with the same bars. */
export const copyPanel = (panel: BarPanel): BarPanel => structuredClone(panel);

/** The grid times from..to (exclusive) of a panel. */
export function slicePanel(panel: BarPanel, from: number, to: number): BarPanel {
  const all = panel.openMs.length;
  const cut = <A extends Float64Array | Uint8Array>(column: A): A => {
    const part = column.slice(0, panel.symbols.length * (to - from)) as A;
    for (let s = 0; s < panel.symbols.length; s += 1) {
      part.set(column.subarray(s * all + from, s * all + to), s * (to - from));
    }
    return part;
  };
  return {
    ...panel,
    openMs: panel.openMs.slice(from, to),
    open: cut(panel.open),
    high: cut(panel.high),
    low: cut(panel.low),
    close: cut(panel.close),
    volume: cut(panel.volume),
    quoteVolume: cut(panel.quoteVolume),
    trades: cut(panel.trades),
    takerBuyVolume: cut(panel.takerBuyVolume),
    quality: cut(panel.quality),
    sourceIndex: cut(panel.sourceIndex),
  };
}
