// What can be known of simulated markets beforehand, and whether it is: predictors of the past against what came.

import {
  type BarPanel,
  barQuality,
  type SimulatedMarket,
  simulatedHorizonBars,
} from '../../../data/market/index.ts';

/** A missing bar. */
export const gone = (panel: BarPanel, at: number): boolean =>
  (panel.quality[at]! & barQuality.missing) !== 0;

/** Calls `visit` for each symbol s, bar t and place `at` that has a bar. */
export function eachBar(panel: BarPanel, visit: (at: number, t: number, s: number) => void): void {
  const steps = panel.openMs.length;
  for (let s = 0; s < panel.symbols.length; s += 1) {
    for (let t = 0; t < steps; t += 1) if (!gone(panel, s * steps + t)) visit(s * steps + t, t, s);
  }
}

/** Realised open-to-open return of the horizon after bar t, NaN if a bar lacks. */
export const realised = (panel: BarPanel, at: number, t: number): number =>
  t + 1 + simulatedHorizonBars < panel.openMs.length
    ? panel.open[at + 1 + simulatedHorizonBars]! / panel.open[at + 1]! - 1
    : Number.NaN;

/** sum(x y) / sqrt(sum((x y)^2)): standard normal when y has mean zero given x and the past. */
export function studentised(
  panels: readonly BarPanel[],
  x: (panel: BarPanel) => Float64Array,
): number {
  let sum = 0;
  let squares = 0;
  for (const panel of panels) {
    const predictor = x(panel);
    eachBar(panel, (at, t) => {
      if (t + 1 === panel.openMs.length) return;
      const term = predictor[at]! * (panel.close[at + 1]! / panel.close[at]! - 1);
      if (!Number.isFinite(term)) return;
      sum += term;
      squares += term * term;
    });
  }
  return sum / Math.sqrt(squares);
}

/** [S*T] simple return of each bar's close against the one before. */
export const barReturns = (panel: BarPanel): Float64Array =>
  panel.close.map((close, at) => (at === 0 ? Number.NaN : close / panel.close[at - 1]! - 1));

/** |z| of a standard normal exceeds 4.5 once in 150,000 draws; the tests below make some dozens. */
export const zLimit = 4.5;

/** Pearson correlation and least-squares slope through the origin on labels that do not overlap, with its standard error. */
export function judge(markets: readonly SimulatedMarket[]) {
  let [n, xy, xx, yy, residual] = [0, 0, 0, 0, 0];
  const pairs: [number, number][] = [];
  for (const { panel, expected } of markets) {
    eachBar(panel, (at, t) => {
      const y = realised(panel, at, t);
      if (t % simulatedHorizonBars === 0 && Number.isFinite(y)) pairs.push([expected[at]!, y]);
    });
  }
  for (const [x, y] of pairs) [n, xy, xx, yy] = [n + 1, xy + x * y, xx + x * x, yy + y * y];
  const slope = xy / xx;
  // Heteroskedastic-consistent (White): bars of volatile spells weigh more.
  for (const [x, y] of pairs) residual += (x * (y - slope * x)) ** 2;
  return { ic: xy / Math.sqrt(xx * yy), slope, slopeError: Math.sqrt(residual) / xx, n };
}
