// Bars that are the same up to a time and others from then on: what leak tests ask with.

import type { BarPanel } from '../../../data/market/index.ts';

/** The panel with other prices, ranges and order flow in every bar that opens at `fromMs` or later. */
export function changedFrom(panel: BarPanel, fromMs: number): BarPanel {
  const times = panel.openMs.length;
  const change = (column: Float64Array, factor: (at: number) => number) =>
    column.map((x, at) => (panel.openMs[at % times]! >= fromMs ? x * factor(at) : x));
  const wave = (at: number) => 1 + 0.01 * Math.sin(at);
  return {
    ...panel,
    close: change(panel.close, wave),
    open: change(panel.open, wave),
    high: change(panel.high, () => 1.05),
    low: change(panel.low, () => 0.95),
    takerBuyVolume: change(panel.takerBuyVolume, () => 0.5),
  };
}
