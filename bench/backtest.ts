// The backtest engine on precomputed scores: symbol-bars per second on one core, a sparse and a busy
// strategy. Random slices of each panel go through the tests' slow reference before anything is reported.

import { createRandom, hourMs } from '../core/index.ts';
import type { BarPanel } from '../data/market/index.ts';
import { type BacktestInput, runBacktest } from '../models/backtest/index.ts';
import { type TradeConfig, tradeConfigSchema } from '../models/trade/index.ts';
import { referenceBacktest } from '../test/models/backtest/reference.ts';
import { report, time } from './harness.ts';

const targetSymbolBarsPerSecond = 20e6;
const [scale = 1] = process.argv.slice(2).map(Number);
const shapes = [
  { symbols: 20, bars: 500_000 },
  { symbols: 2, bars: 5_000_000 },
  // columns a power of two apart compete for the same cache sets
  { symbols: 16, bars: 2 ** 19 },
];

/** Random walks with 0.1 % of bars missing; a score that changes as slowly as a model's. */
function build(symbols: number, bars: number): Pick<BacktestInput, 'panel' | 'scores'> {
  const random = createRandom(symbols);
  const column = () => new Float64Array(symbols * bars).fill(Number.NaN);
  const [open, close, quoteVolume, scores, absent] = [
    column(),
    column(),
    column(),
    column(),
    column(),
  ];
  for (let s = 0; s < symbols; s += 1) {
    let price = 100;
    let score = 0;
    for (let t = 0, at = s * bars; t < bars; t += 1, at += 1) {
      score = 0.98 * score + 0.2 * (random.uniform() - 0.5);
      const before = price;
      price *= Math.exp(0.002 * (random.uniform() - 0.5));
      if (random.uniform() < 0.001) continue;
      open[at] = before;
      close[at] = price;
      quoteVolume[at] = 1e8 * (0.5 + random.uniform());
      scores[at] = score;
    }
  }
  const panel: BarPanel = {
    timeframeMs: hourMs,
    symbols: Array.from({ length: symbols }, (_, s) => `S${s}`),
    openMs: Float64Array.from({ length: bars }, (_, t) => t * hourMs),
    open,
    high: open,
    low: open,
    close,
    volume: quoteVolume,
    quoteVolume,
    trades: absent,
    takerBuyVolume: absent,
    quality: new Uint8Array(symbols * bars),
    dataVersion: 'bench',
    sourceIndex: new Uint8Array(symbols * bars),
    sources: [],
  };
  return { panel, scores };
}

/** `sparse`: entries and exits at thresholds. `busy`: the weight follows the score, small changes left alone. */
function tradeOf(kind: 'sparse' | 'busy', symbols: number): TradeConfig {
  const sparse = kind === 'sparse';
  return tradeConfigSchema.parse({
    sizing: {
      gain: 1 / symbols,
      entry_score: sparse ? 0.4 : 0,
      exit_score: sparse ? 0.2 : 0,
      smoothing: sparse ? 1 : 0.5,
      rebalance_band: (sparse ? 0.3 : 0.05) / symbols,
      max_weight: 1 / symbols,
    },
    cost: {
      fee_bps: { maker: 0.1, taker: 0.3 },
      maker_frac: 0.5,
      half_spread_bps: 0.1,
      slippage: { coefficient_bps: 1, exponent: 0.5 },
      funding_bps_8h: 0.01,
    },
    constraint: {
      max_gross: 1,
      max_turnover_per_step: 1,
      min_notional: 10,
      lot_size: 0.001,
      max_participation: 0.05,
    },
    // no stop: a book that stands still would be timed for doing nothing
    risk: { max_drawdown: 1, daily_loss: 1 },
    initial_equity: 1e6,
  });
}

/** A slice of 2,000 bars must agree with the reference. @returns largest relative difference of equity */
function checkSlice(input: BacktestInput): number {
  const { openMs } = input.panel;
  const first = createRandom(3).integer(Math.max(1, openMs.length - 2000));
  const { symbols } = input.panel;
  const cut = (column: Float64Array) =>
    Float64Array.from({ length: symbols.length * 2000 }, (_, i) => {
      const [s, t] = [Math.floor(i / 2000), i % 2000];
      return column[s * openMs.length + first + t]!;
    });
  const window = { fromMs: openMs[first]!, toMs: openMs[first]! + 2000 * hourMs };
  const fast = runBacktest({ ...input, ...window });
  const { panel } = input;
  const small = {
    ...panel,
    openMs: panel.openMs.slice(first, first + 2000),
    open: cut(panel.open),
    close: cut(panel.close),
    volume: cut(panel.volume),
    quoteVolume: cut(panel.quoteVolume),
  };
  const slow = referenceBacktest({ ...input, panel: small, scores: cut(input.scores), ...window });
  const same = fast.fills === slow.fills && fast.orders === slow.orders && fast.fills > 0;
  const gap = fast.equity.reduce(
    (worst, value, k) => Math.max(worst, Math.abs(value / slow.equity[k]! - 1)),
    0,
  );
  if (same && gap < 1e-12) return gap;
  throw new Error(
    `The engine disagrees with the reference: fills ${fast.fills}, ${slow.fills}; equity ${gap}`,
  );
}

const cases: Record<string, unknown>[] = [];
for (const { symbols, bars } of shapes) {
  const count = Math.round(bars * scale);
  const market = build(symbols, count);
  for (const kind of ['sparse', 'busy'] as const) {
    const input = { ...market, trade: tradeOf(kind, symbols), fromMs: 0, toMs: count * hourMs };
    const equityGap = checkSlice(input);
    const { fills, orders, missingBars } = runBacktest(input);
    const timing = await time(() => runBacktest(input));
    const symbolBars = symbols * count;
    cases.push({
      symbols,
      bars: count,
      strategy: kind,
      symbol_bars_per_s: Math.round(symbolBars / timing.median_s),
      ratio_to_target: symbolBars / timing.median_s / targetSymbolBarsPerSecond,
      fills,
      orders,
      missing_bars: missingBars,
      reference_equity_gap: equityGap,
      ...timing,
    });
  }
}
report('backtest', { target_symbol_bars_per_s: targetSymbolBarsPerSecond, cases });
