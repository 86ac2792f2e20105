// The inner loops. Every window is folded anew from its newest bar to its oldest, nested windows in one walk: no running
// sum drifts, and the result has the same bits wherever the stream began.

/** How the values of a window become one number. */
export type Fold = 'sum' | 'highest' | 'lowest' | 'zscore';

/**
 * Folds the windows that end at `newest`.
 * @param ring values, newest at `newest`, older ones below
 * @param bars [k] window lengths, ascending
 * @param out [k] columns, each indexed by symbol
 */
export type WindowFold = (
  ring: Float64Array,
  newest: number,
  bars: readonly number[],
  out: readonly Float64Array[],
  symbol: number,
) => void;

/** The loop of each fold; NaN in a window makes its result NaN. */
export const windowFolds: Readonly<Record<Fold, WindowFold>> = {
  sum(ring, newest, bars, out, symbol) {
    let sum = 0;
    let i = 0;
    for (let k = 0; k < bars.length; k += 1) {
      for (const end = bars[k]!; i < end; i += 1) sum += ring[newest - i]!;
      out[k]![symbol] = sum;
    }
  },
  highest(ring, newest, bars, out, symbol) {
    let highest = Number.NEGATIVE_INFINITY;
    let i = 0;
    for (let k = 0; k < bars.length; k += 1) {
      for (const end = bars[k]!; i < end; i += 1) highest = Math.max(highest, ring[newest - i]!);
      out[k]![symbol] = highest;
    }
  },
  lowest(ring, newest, bars, out, symbol) {
    let lowest = Number.POSITIVE_INFINITY;
    let i = 0;
    for (let k = 0; k < bars.length; k += 1) {
      for (const end = bars[k]!; i < end; i += 1) lowest = Math.min(lowest, ring[newest - i]!);
      out[k]![symbol] = lowest;
    }
  },
  // (newest - mean) / sd, ddof 1. Differences to the newest value keep the variance exact where values are equal (then
  // there is no z-score: NaN) and well conditioned otherwise, since the newest value is never further than sqrt(n) sd out.
  zscore(ring, newest, bars, out, symbol) {
    const last = ring[newest]!;
    let sum = 0;
    let squares = 0;
    let i = 0;
    for (let k = 0; k < bars.length; k += 1) {
      const n = bars[k]!;
      for (; i < n; i += 1) {
        const difference = ring[newest - i]! - last;
        sum += difference;
        squares += difference * difference;
      }
      const mean = sum / n;
      const variance = (squares - sum * mean) / (n - 1);
      out[k]![symbol] = variance > 0 ? -mean / Math.sqrt(variance) : Number.NaN;
    }
  },
};
