// Every feature once more, from its definition and the whole panel: slow, obvious, and sharing no code with the stream.

import type { FeatureEntry } from '../../../data/feature/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';

/** The value of an entry for symbol s at grid time t, from the panel alone. */
export function slowFeature(panel: BarPanel, entry: FeatureEntry, s: number, t: number): number {
  const n = entry.params.bars ?? 1;
  const others = panel.symbols.map((_, other) => other).filter((other) => other !== s);
  const bar = (u: number) => (u < 0 ? -1 : s * panel.openMs.length + u);
  const last = (column: Float64Array, count: number) =>
    Array.from({ length: count }, (_, i) => column[bar(t - count + 1 + i)] ?? Number.NaN);
  const peers = (value: (other: number) => number) =>
    others.map(value).filter((x) => !Number.isNaN(x));
  const peerReturns = () => peers((other) => windowReturn(panel, other, t, n));
  const newestMissing = Number.isNaN(panel.close[bar(t)]!);
  switch (entry.kind) {
    case 'log_return':
      return windowReturn(panel, s, t, n);
    case 'realised_volatility':
      return volatility(panel, s, t, n);
    case 'volatility_ratio': {
      const long = volatility(panel, s, t, entry.params.long_bars!);
      return long === 0 ? Number.NaN : volatility(panel, s, t, entry.params.short_bars!) / long;
    }
    case 'parkinson_volatility': {
      const low = last(panel.low, n);
      const squares = last(panel.high, n).map((high, i) => Math.log(high / low[i]!) ** 2);
      return Math.sqrt(mean(squares) / (4 * Math.log(2)));
    }
    case 'return_autocorrelation': {
      const r = logReturns(panel, s, t, n + 1);
      const squares = sum(r.slice(1).map((x) => x * x));
      return sum(r.slice(1).map((x, i) => x * r[i]!)) / squares;
    }
    case 'realised_skewness': {
      const r = logReturns(panel, s, t, n);
      return mean(r.map((x) => x ** 3)) / mean(r.map((x) => x ** 2)) ** 1.5;
    }
    case 'close_location': {
      const high = Math.max(...last(panel.high, n));
      const low = Math.min(...last(panel.low, n));
      const share = (panel.close[bar(t)]! - low) / (high - low);
      return high === low ? 0 : 2 * share - 1;
    }
    case 'volume_zscore':
      return zscore(last(panel.volume, n).map(Math.sqrt));
    case 'quote_volume_zscore':
      return zscore(last(panel.quoteVolume, n).map(Math.sqrt));
    case 'trades_zscore':
      return zscore(last(panel.trades, n).map(Math.sqrt));
    case 'taker_imbalance':
      return imbalance(sum(last(panel.takerBuyVolume, n)), sum(last(panel.volume, n)));
    case 'taker_imbalance_zscore': {
      const volume = last(panel.volume, n);
      return zscore(last(panel.takerBuyVolume, n).map((buys, i) => imbalance(buys, volume[i]!)));
    }
    case 'market_return':
      return mean(peerReturns());
    case 'relative_strength':
      return windowReturn(panel, s, t, n) - mean(peerReturns());
    case 'return_rank': {
      const own = windowReturn(panel, s, t, n);
      return Number.isNaN(own)
        ? Number.NaN
        : mean(peerReturns().map((x) => (x < own ? 1 : x === own ? 0.5 : 0)));
    }
    case 'market_volatility':
      return mean(peers((other) => volatility(panel, other, t, n)));
    case 'peer_share':
      return peerReturns().length / others.length;
    case 'calendar_sine':
      return Math.sin(angle(panel, t, entry.params.period_ms!));
    case 'calendar_cosine':
      return Math.cos(angle(panel, t, entry.params.period_ms!));
    case 'bar_missing_share':
      return last(panel.close, n).filter(Number.isNaN).length / n;
    case 'taker_missing':
      return Number.isNaN(panel.takerBuyVolume[bar(t)]!) ? 1 : 0;
    case 'zero_volume':
      return !newestMissing && panel.volume[bar(t)] === 0 ? 1 : 0;
    default:
      throw new Error(`no slow version of ${entry.kind}`);
  }
}

/**
 * How far a stream may be from {@link slowFeature}: float32 rounding of the result, and float64 sums over up to 169 terms in another order. Differences of returns and the
 * z-score lose absolute, not relative, accuracy: their operands are below 1 and 20.
 */
export function slowTolerance(entry: FeatureEntry, value: number): number {
  const sumRounding = 169 * 20 * 2 ** -52 * (entry.unit === 'zscore' ? 20 : 1);
  return 2 ** -24 * Math.abs(value) + sumRounding;
}

const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);
const mean = (x: readonly number[]) => sum(x) / x.length;
const imbalance = (buys: number, volume: number) =>
  Number.isNaN(buys) ? buys : volume === 0 ? 0 : (2 * buys - volume) / volume;

/** Log return over n bars, NaN if any of the n + 1 closes is missing. */
function windowReturn(panel: BarPanel, s: number, t: number, n: number): number {
  const whole = logReturns(panel, s, t, n).every((x) => !Number.isNaN(x));
  const at = s * panel.openMs.length + t;
  return whole ? Math.log(panel.close[at]!) - Math.log(panel.close[at - n]!) : Number.NaN;
}

function logReturns(panel: BarPanel, s: number, t: number, n: number): number[] {
  const close = (u: number) => (u < 0 ? Number.NaN : panel.close[s * panel.openMs.length + u]!);
  return Array.from({ length: n }, (_, i) => {
    const u = t - n + 1 + i;
    return Math.log(close(u) / close(u - 1));
  });
}

const volatility = (panel: BarPanel, s: number, t: number, n: number) =>
  Math.sqrt(mean(logReturns(panel, s, t, n).map((x) => x * x)));

function zscore(x: readonly number[]): number {
  const centre = mean(x);
  const variance = sum(x.map((value) => (value - centre) ** 2)) / (x.length - 1);
  return x.every((value) => value === x[0])
    ? Number.NaN
    : (x.at(-1)! - centre) / Math.sqrt(variance);
}

function angle(panel: BarPanel, t: number, periodMs: number): number {
  const closeMs = panel.openMs[t]! + panel.timeframeMs;
  return 2 * Math.PI * (closeMs / periodMs - Math.floor(closeMs / periodMs));
}
