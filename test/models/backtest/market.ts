// Small panels and trade settings for the tests of this folder.

import { createRandom, hourMs } from '../../../core/index.ts';
import { type BarPanel, barQuality } from '../../../data/market/index.ts';
import { type TradeConfig, tradeConfigSchema } from '../../../models/trade/index.ts';

/** One bar as [open, close], or null = missing. */
export type Quote = readonly [number, number] | null;

/** 2024-01-01T00:00:00Z */
export const newYear = 1_704_067_200_000;

/** A panel of bars written out by hand, one row per symbol. */
export function panelOf(
  rows: readonly (readonly Quote[])[],
  options: { timeframeMs?: number; startMs?: number; quoteVolume?: number } = {},
): BarPanel {
  const { timeframeMs = hourMs, startMs = newYear, quoteVolume = 1e9 } = options;
  const quotes = rows.flat();
  const bars = rows[0]!.length;
  const column = (pick: (quote: readonly [number, number]) => number) =>
    Float64Array.from(quotes, (quote) => (quote === null ? Number.NaN : pick(quote)));
  return {
    timeframeMs,
    symbols: rows.map((_, s) => `S${s}`),
    openMs: Float64Array.from({ length: bars }, (_, t) => startMs + t * timeframeMs),
    open: column(([open]) => open),
    high: column(([open, close]) => Math.max(open, close)),
    low: column(([open, close]) => Math.min(open, close)),
    close: column(([, close]) => close),
    volume: column(() => quoteVolume),
    quoteVolume: column(() => quoteVolume),
    trades: column(() => Number.NaN),
    takerBuyVolume: column(() => Number.NaN),
    quality: Uint8Array.from(quotes, (quote) => (quote === null ? barQuality.missing : 0)),
    dataVersion: 'test',
    sourceIndex: new Uint8Array(quotes.length),
    sources: [{ file: 'test', sha256: '', venue: 'simulator' }],
  };
}

/** A seeded random walk with gaps, zero volumes and absent quote volumes. */
export function randomPanel(
  seed: number,
  symbols: number,
  bars: number,
  options: { gapFrac?: number; jump?: number; timeframeMs?: number; startMs?: number } = {},
): BarPanel {
  const { gapFrac = 0.1, jump = 0.05 } = options;
  const random = createRandom(seed);
  const rows = Array.from({ length: symbols }, () => {
    let price = 10 ** (4 * random.uniform());
    return Array.from({ length: bars }, (): Quote => {
      const open = price * Math.exp(0.2 * jump * random.normal());
      price = open * Math.exp(jump * random.normal());
      return random.uniform() < gapFrac ? null : [open, price];
    });
  });
  const panel = panelOf(rows, options);
  const volume = panel.volume.map((_, at) =>
    random.uniform() < 0.05 ? 0 : 10 ** (3 + 3 * random.uniform()) / (panel.close[at] ?? 1),
  );
  const quoteVolume = volume.map((base, at) =>
    random.uniform() < 0.3 ? Number.NaN : base * panel.close[at]!,
  );
  return { ...panel, volume, quoteVolume };
}

/** Scores of a seed, roughly in [-2, 2]; some NaN. */
export function randomScores(seed: number, panel: BarPanel, absentFrac = 0.1): Float64Array {
  const random = createRandom(seed).fork('scores');
  return panel.close.map(() =>
    random.uniform() < absentFrac ? Number.NaN : random.normal() * 0.8,
  );
}

/** Free trading without limits, changed where the test says so. */
export function tradeOf(changes: { [K in keyof TradeConfig]?: Partial<TradeConfig[K]> } = {}) {
  const sizing = {
    gain: 1,
    entry_score: 0,
    exit_score: 0,
    smoothing: 1,
    rebalance_band: 0,
    max_weight: 1,
  };
  const cost = {
    fee_bps: { maker: 0, taker: 0 },
    maker_frac: 0,
    half_spread_bps: 0,
    slippage: { coefficient_bps: 0, exponent: 0.5 },
    funding_bps_8h: 0,
  };
  const constraint = {
    max_gross: 1e9,
    max_turnover_per_step: 1e9,
    min_notional: 0,
    lot_size: 0,
    max_participation: 1e9,
  };
  return tradeConfigSchema.parse({
    sizing: { ...sizing, ...changes.sizing },
    cost: { ...cost, ...changes.cost },
    constraint: { ...constraint, ...changes.constraint },
    risk: { max_drawdown: 1, daily_loss: 1, ...changes.risk },
    initial_equity: changes.initial_equity ?? 1000,
  });
}

/** Everything of a panel: the widest window. */
export const always = { fromMs: 0, toMs: 1e15 } as const;
