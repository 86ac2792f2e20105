// The engine against the slow, obvious reference, against the accounting identity, and against the future.

import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom, hourMs } from '../../../core/index.ts';
import {
  type BacktestInput,
  type BacktestResult,
  runBacktest,
} from '../../../models/backtest/index.ts';
import type { TradeConfig } from '../../../models/trade/index.ts';
import { newYear, randomPanel, randomScores, tradeOf } from './market.ts';
import { referenceBacktest } from './reference.ts';

/** Any settings in which every rule of the engine has something to do. */
function randomTrade(seed: number): TradeConfig {
  const random = createRandom(seed).fork('trade');
  const often = <T>(a: T, b: T) => (random.uniform() < 0.6 ? a : b);
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const entry = often(between(0, 0.8), 0);
  return tradeOf({
    sizing: {
      gain: between(0.1, 2),
      entry_score: entry,
      exit_score: entry * random.uniform(),
      smoothing: often(between(0.1, 1), 1),
      rebalance_band: often(between(0, 0.2), 0),
      max_weight: often(between(0.1, 1), between(1, 6)),
    },
    cost: {
      fee_bps: { maker: between(-1, 2), taker: between(2, 10) },
      maker_frac: random.uniform(),
      half_spread_bps: between(0, 5),
      slippage: {
        coefficient_bps: often(between(0, 50), 0),
        exponent: often(0.5, between(0.3, 1.5)),
      },
      funding_bps_8h: often(between(-5, 5), 0),
    },
    constraint: {
      max_gross: between(0.3, 6),
      max_turnover_per_step: between(0.2, 6),
      min_notional: often(between(0, 50), 0),
      lot_size: often(0, between(0.01, 2)),
      max_participation: between(0.001, 2),
    },
    risk: { max_drawdown: often(between(0.05, 1), 1), daily_loss: often(between(0.02, 0.5), 1) },
    initial_equity: 10 ** between(2, 6),
  });
}

function randomInput(seed: number, gapFrac = 0.12): BacktestInput {
  const random = createRandom(seed).fork('shape');
  const timeframeMs = [hourMs, 8 * hourMs, 24 * hourMs, hourMs / 4][random.integer(4)]!;
  const bars = 2 + random.integer(60);
  const startMs = newYear + random.integer(96) * (hourMs / 4);
  const shape = { gapFrac, jump: random.uniform() < 0.2 ? 0.4 : 0.04, timeframeMs, startMs };
  const panel = randomPanel(seed, 1 + random.integer(4), bars, shape);
  const first = random.integer(bars - 1);
  const last = first + 1 + random.integer(bars - first);
  return {
    panel,
    scores: randomScores(seed, panel),
    fromMs: startMs + first * timeframeMs,
    toMs: startMs + last * timeframeMs,
    trade: randomTrade(seed),
  };
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

const runs = 1000;

/** Largest difference of two series, over the largest equity that was ever at stake. */
function gapOf(a: ArrayLike<number>, b: ArrayLike<number>, scale: number): number {
  expect(a.length).to.equal(b.length);
  return Array.from(a, (x, i) => Math.abs(x - b[i]!) / scale).reduce((x, y) => Math.max(x, y), 0);
}

describe('backtest engine, properties', () => {
  it('agrees with a slow, obvious reference on small panels with gaps', () => {
    const seen: Record<string, number> = {
      fills: 0,
      missing: 0,
      dayStops: 0,
      drawdowns: 0,
      ruins: 0,
    };
    fc.assert(
      fc.property(seeds, (seed) => {
        const input = randomInput(seed);
        const fast = runBacktest(input);
        const slow = referenceBacktest(input);
        const scale = Math.max(input.trade.initial_equity, ...slow.equity.map(Math.abs));
        expect(fast.rejects).to.deep.equal(slow.rejects);
        expect({ ...fast, cost: 0 }).to.include({
          orders: slow.orders,
          fills: slow.fills,
          missingBars: slow.missingBars,
        });
        expect(fast.stopped).to.deep.equal(slow.stopped);
        expect(Array.from(fast.closeMs)).to.deep.equal(slow.closeMs);
        for (const name of ['equity', 'pnl', 'pnlBeforeCost'] as const) {
          expect(gapOf(fast[name], slow[name], scale), name).to.be.below(1e-12);
        }
        for (const name of ['turnover', 'gross'] as const) {
          const largest = Math.max(1, ...slow[name]);
          expect(gapOf(fast[name], slow[name], largest), name).to.be.below(1e-11);
        }
        for (const name of ['fee', 'spread', 'slippage', 'funding'] as const) {
          expect(Math.abs(fast.cost[name] - slow.cost[name]) / scale, name).to.be.below(1e-12);
        }
        const weights = input.panel.symbols.flatMap((_, s) => slow.weights.map((row) => row[s]!));
        const widest = Math.max(1, ...weights.map(Math.abs));
        expect(gapOf(fast.weights, weights, widest), 'weights').to.be.below(2 ** -23);
        for (const [reason, count] of Object.entries(fast.rejects)) {
          seen[reason] = (seen[reason] ?? 0) + count;
        }
        seen.fills! += fast.fills;
        seen.missing! += fast.missingBars;
        seen.dayStops! += fast.stopped.dailyLossDays;
        seen.drawdowns! += fast.stopped.drawdownAtMs === null ? 0 : 1;
        seen.ruins! += fast.equity.at(-1)! <= 0 ? 1 : 0;
      }),
      { numRuns: runs, seed: 7 },
    );
    // an agreement about nothing would be worth nothing
    for (const [name, count] of Object.entries(seen)) expect(count, name).to.be.above(0);
  });

  it('keeps the books: equity change = pnl of prices - costs, orders = fills + rejects', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const input = randomInput(seed);
        const run = runBacktest(input);
        const sum = (values: Float64Array) => values.reduce((total, x) => total + x, 0);
        const { fee, spread, slippage, funding } = run.cost;
        const scale = Math.max(run.initialEquity, ...run.equity.map(Math.abs));
        const change = run.equity.at(-1)! - run.initialEquity;
        // K additions of numbers no larger than a few times scale, each rounded
        const tolerance =
          64 * Number.EPSILON * scale * run.equity.length * input.panel.symbols.length;
        expect(change).to.be.closeTo(sum(run.pnl), tolerance);
        expect(change).to.be.closeTo(
          sum(run.pnlBeforeCost) - fee - spread - slippage - funding,
          tolerance,
        );
        expect(Object.values(run.rejects).reduce((a, b) => a + b, run.fills)).to.equal(run.orders);
      }),
      { numRuns: runs, seed: 8 },
    );
  });

  it('sees nothing of the future: whatever comes after bar t changes nothing up to bar t', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: 0, max: 0.999, noNaN: true }), (seed, where) => {
        const input = randomInput(seed);
        const { panel } = input;
        const bars = panel.openMs.length;
        const cut = Math.floor(where * bars);
        const other = randomPanel(seed + 1, panel.symbols.length, bars, { gapFrac: 0.3 });
        const otherScores = randomScores(seed + 1, other);
        const spliced = (past: Float64Array, future: Float64Array) =>
          past.map((value, at) => (at % bars <= cut ? value : future[at]!));
        const changed: BacktestInput = {
          ...input,
          scores: spliced(input.scores, otherScores),
          panel: {
            ...panel,
            open: spliced(panel.open, other.open),
            close: spliced(panel.close, other.close),
            volume: spliced(panel.volume, other.volume),
            quoteVolume: spliced(panel.quoteVolume, other.quoteVolume),
          },
        };
        const cutMs = panel.openMs[cut]! + panel.timeframeMs;
        expect(until(cutMs, runBacktest(changed))).to.deep.equal(until(cutMs, runBacktest(input)));
      }),
      { numRuns: runs, seed: 9 },
    );
  });

  it('gives the same bytes for the same input', () => {
    const input = randomInput(11);
    expect(runBacktest(input)).to.deep.equal(runBacktest(input));
  });
});

function until(cutMs: number, run: BacktestResult) {
  const keep = run.closeMs.filter((ms) => ms <= cutMs).length;
  const steps = run.closeMs.length;
  return {
    equity: run.equity.slice(0, keep),
    pnl: run.pnl.slice(0, keep),
    pnlBeforeCost: run.pnlBeforeCost.slice(0, keep),
    turnover: run.turnover.slice(0, keep),
    gross: run.gross.slice(0, keep),
    weights: run.weights.filter((_, at) => at % steps < keep),
  };
}
