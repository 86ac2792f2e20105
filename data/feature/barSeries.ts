// What one bar contributes to windows: a few numbers per bar, kept in rings of the last `capacity` bars. A number that
// touches a missing bar is NaN, so that every sum over it is NaN too: no window is bridged or shortened.

import { isoTime, SluiceError } from '../../core/index.ts';
import type { BarPanel } from '../market/index.ts';

/** The per-bar numbers that windows fold. */
export const barSeriesNames = [
  'logReturn', // of the close, against the bar before
  'squaredReturn',
  'cubedReturn',
  'laggedProduct', // log return times the log return one bar earlier
  'squaredRange', // log(high / low) squared
  'high',
  'low',
  'close',
  'volume',
  'takerBuyVolume',
  'takerImbalance', // (buys - sells) / volume of the takers; 0 where nobody traded
  'rootVolume', // square roots: defined at zero, tamer than the raw column, and a z-score of them has no unit
  'rootQuoteVolume',
  'rootTrades',
  'missing', // 1 or 0, never NaN
  'takerMissing',
  'zeroVolume',
] as const;

/** One of {@link barSeriesNames}. */
export type BarSeries = (typeof barSeriesNames)[number];

const neverNaN = new Set<BarSeries>(['missing', 'takerMissing', 'zeroVolume']);

/** Rings of every series for every symbol. Each value is written twice, so that the last bars always lie in one piece. */
export interface BarRings {
  /** series -> [symbols * 2 * capacity] */
  readonly series: Readonly<Record<BarSeries, Float64Array>>;
  /** Takes the bars of grid time t, all symbols; none of them if one cannot be (`out_of_range`). */
  absorb(panel: BarPanel, t: number): void;
  /** Where symbol s's newest value stands; the bar before stands one place lower. */
  newest(symbol: number): number;
}

/** Makes empty rings: bars never seen count as missing. */
export function createBarRings(symbolCount: number, capacity: number): BarRings {
  const series = Object.fromEntries(
    barSeriesNames.map((name) => [name, new Float64Array(symbolCount * 2 * capacity)]),
  ) as Record<BarSeries, Float64Array>;
  for (const name of barSeriesNames) series[name].fill(neverNaN.has(name) ? 0 : Number.NaN);
  series.missing.fill(1);
  series.takerMissing.fill(1);
  const bar = new Float64Array(barSeriesNames.length);
  const rings = barSeriesNames.map((name) => series[name]);
  let at = capacity - 1;
  return {
    series,
    newest: (symbol) => symbol * 2 * capacity + capacity + at,
    absorb(panel, t) {
      for (let s = 0; s < symbolCount; s += 1) checkBar(panel, s, t);
      const before = at + capacity;
      at = (at + 1) % capacity;
      for (let s = 0; s < symbolCount; s += 1) {
        const base = s * 2 * capacity;
        readBar(panel, s, t, series.close[base + before]!, series.logReturn[base + before]!, bar);
        for (let i = 0; i < rings.length; i += 1) {
          const ring = rings[i]!;
          ring[base + at] = bar[i]!;
          ring[base + at + capacity] = bar[i]!;
        }
      }
    },
  };
}

const slot = Object.fromEntries(barSeriesNames.map((name, i) => [name, i])) as Record<
  BarSeries,
  number
>;

/** Fills `out` with the series values of one bar, in the order of {@link barSeriesNames}. */
function readBar(
  panel: BarPanel,
  symbol: number,
  t: number,
  closeBefore: number,
  returnBefore: number,
  out: Float64Array,
): void {
  const at = symbol * panel.openMs.length + t;
  const close = panel.close[at]!;
  if (Number.isNaN(close)) {
    out.fill(Number.NaN);
    out[slot.missing] = 1;
    out[slot.takerMissing] = 1;
    out[slot.zeroVolume] = 0;
    return;
  }
  const high = panel.high[at]!;
  const low = panel.low[at]!;
  const volume = panel.volume[at]!;
  const takerBuyVolume = panel.takerBuyVolume[at]!;
  const logReturn = Math.log(close / closeBefore);
  const logRange = Math.log(high / low);
  out[slot.logReturn] = logReturn;
  out[slot.squaredReturn] = logReturn * logReturn;
  out[slot.cubedReturn] = logReturn * logReturn * logReturn;
  out[slot.laggedProduct] = logReturn * returnBefore;
  out[slot.squaredRange] = logRange * logRange;
  out[slot.high] = high;
  out[slot.low] = low;
  out[slot.close] = close;
  out[slot.volume] = volume;
  out[slot.takerBuyVolume] = takerBuyVolume;
  out[slot.takerImbalance] = volume > 0 ? (2 * takerBuyVolume) / volume - 1 : 0 * takerBuyVolume;
  out[slot.rootVolume] = Math.sqrt(volume);
  out[slot.rootQuoteVolume] = Math.sqrt(panel.quoteVolume[at]!);
  out[slot.rootTrades] = Math.sqrt(panel.trades[at]!);
  out[slot.missing] = 0;
  out[slot.takerMissing] = Number.isNaN(takerBuyVolume) ? 1 : 0;
  out[slot.zeroVolume] = volume === 0 ? 1 : 0;
}

/** A bar that is there has finite positive prices and volumes of at least 0; anything else never left the importer. */
function checkBar(panel: BarPanel, symbol: number, t: number): void {
  const at = symbol * panel.openMs.length + t;
  const { open, high, low, close, volume, quoteVolume, trades, takerBuyVolume } = panel;
  const sound =
    Number.isNaN(close[at]!) ||
    (isPrice(close[at]!) &&
      isPrice(open[at]!) &&
      isPrice(high[at]!) &&
      isPrice(low[at]!) &&
      isAmount(volume[at]!) &&
      isAmountOrMissing(quoteVolume[at]!) &&
      isAmountOrMissing(trades[at]!) &&
      isAmountOrMissing(takerBuyVolume[at]!));
  if (sound) return;
  throw new SluiceError(
    'out_of_range',
    `Expected finite prices above 0 and finite volumes of at least 0, found otherwise in ${panel.symbols[symbol]} at ${isoTime(panel.openMs[t]!)}; a missing bar is NaN in every field.`,
    { symbol: panel.symbols[symbol], openMs: panel.openMs[t] },
  );
}

const isPrice = (x: number): boolean => x > 0 && x < Number.POSITIVE_INFINITY;
const isAmount = (x: number): boolean => x >= 0 && x < Number.POSITIVE_INFINITY;
const isAmountOrMissing = (x: number): boolean => Number.isNaN(x) || isAmount(x);
