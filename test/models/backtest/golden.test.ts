// The golden table of the real data's README (BTC, ETH, SOL of 2024, hourly, buy and hold, no cost),
// by its own rule and by `daily_agg_v1`.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { dayMs, hourMs, utcDay } from '../../../core/index.ts';
import {
  dailyReturns,
  maxDrawdown,
  runBacktest,
  type StepSeries,
  sharpeDaily,
  sharpeOfDays,
  sharpeStepRaw,
  summariseRun,
} from '../../../models/backtest/index.ts';
import { needsSharedData, sharedData } from '../../sharedData.ts';
import { always, panelOf, type Quote, tradeOf } from './market.ts';

interface Golden {
  symbol: string;
  steps: number;
  sharpeDaily: number;
  sharpeStepRaw: number;
  totalReturn: number;
  maxDrawdown: number;
}

const table: Golden[] = [
  ['BTCUSDT', 5979, 1.029283, 1.047691, 0.332259, -0.323107],
  ['ETHUSDT', 5979, 0.414185, 0.417161, 0.042309, -0.452231],
  ['SOLUSDT', 5999, 0.774334, 0.79339, 0.226461, -0.465159],
].map(([symbol, steps, daily, raw, total, drawdown]) => ({
  symbol: symbol as string,
  steps: steps as number,
  sharpeDaily: daily as number,
  sharpeStepRaw: raw as number,
  totalReturn: total as number,
  maxDrawdown: drawdown as number,
}));

interface Bars {
  openMs: number[];
  close: number[];
}

function readBars(): Map<string, Bars> {
  const path = sharedData('market', 'ohlcv_1h_spot_20sym_2024_mit.csv.gz');
  const bySymbol = new Map<string, Bars>();
  for (const line of gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n').slice(1)) {
    const [symbol, ts, , , , close] = line.split(',');
    const bars = bySymbol.get(symbol!) ?? { openMs: [], close: [] };
    bars.openMs.push(Number(ts));
    bars.close.push(Number(close));
    bySymbol.set(symbol!, bars);
  }
  return bySymbol;
}

/** The table's rule: a day's return compounds its simple step returns, by UTC day of the bar open. */
function compoundedByDay({ openMs, close }: Bars): number[] {
  const growth = new Map<number, number>();
  for (let t = 1; t < close.length; t += 1) {
    const day = utcDay(openMs[t]!);
    growth.set(day, (growth.get(day) ?? 1) * (close[t]! / close[t - 1]!));
  }
  return [...growth.values()].map((factor) => factor - 1);
}

/** One unit held from the first close on; the first bar has no return. */
function holding({ openMs, close }: Bars): StepSeries {
  return {
    timeframeMs: hourMs,
    initialEquity: close[0]!,
    closeMs: Float64Array.from(openMs.slice(1), (ms) => ms + hourMs),
    equity: Float64Array.from(close.slice(1)),
    pnl: Float64Array.from(close.slice(1), (price, t) => price - close[t]!),
  };
}

describe('golden Sharpe table of real bars', () => {
  let bars = new Map<string, Bars>();
  before(function () {
    needsSharedData(this);
    bars = readBars();
  });

  for (const golden of table) {
    it(`reproduces ${golden.symbol} to six decimals by compounding step returns within UTC days`, () => {
      const days = compoundedByDay(bars.get(golden.symbol)!);
      expect(days.length).to.equal(250);
      expect(sharpeOfDays(days).value.toFixed(6)).to.equal(golden.sharpeDaily.toFixed(6));
    });

    it(`gives ${golden.symbol} the same days by daily_agg_v1, whose pnl telescopes when fully invested`, () => {
      const steps = holding(bars.get(golden.symbol)!);
      const { returns, firstIsPartial, lastIsPartial } = dailyReturns(steps);
      const compounded = compoundedByDay(bars.get(golden.symbol)!);
      // 24 subtractions and 24 divisions of prices of one size: some 50 roundings of 1 ulp
      returns.forEach((r, d) => {
        expect(r).to.be.closeTo(compounded[d]!, 64 * Number.EPSILON);
      });
      expect(sharpeOfDays(returns).value.toFixed(6)).to.equal(golden.sharpeDaily.toFixed(6));
      // the first step opens at 01:00 (the first bar has no return) and the data end within a day
      expect({ firstIsPartial, lastIsPartial }).to.deep.equal({
        firstIsPartial: true,
        lastIsPartial: (bars.get(golden.symbol)!.openMs.at(-1)! + hourMs) % dayMs !== 0,
      });
    });

    it(`drops ${golden.symbol}'s partial days from the Sharpe that a gate reads`, () => {
      const steps = holding(bars.get(golden.symbol)!);
      const compounded = compoundedByDay(bars.get(golden.symbol)!);
      const whole = compounded.slice(1, dailyReturns(steps).lastIsPartial ? -1 : undefined);
      const mean = whole.reduce((sum, r) => sum + r, 0) / whole.length;
      const variance = whole.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (whole.length - 1);
      const gate = sharpeDaily(steps);
      expect(gate.value).to.be.closeTo((mean / Math.sqrt(variance)) * Math.sqrt(365), 1e-12);
      expect(gate.observationDays).to.equal(whole.length);
    });

    it(`reproduces the step Sharpe, total return and drawdown of ${golden.symbol}`, () => {
      const steps = holding(bars.get(golden.symbol)!);
      expect(steps.pnl.length).to.equal(golden.steps);
      expect(sharpeStepRaw(steps).value.toFixed(6)).to.equal(golden.sharpeStepRaw.toFixed(6));
      expect((steps.equity.at(-1)! / steps.initialEquity - 1).toFixed(6)).to.equal(
        golden.totalReturn.toFixed(6),
      );
      expect(maxDrawdown(steps.equity, steps.initialEquity).toFixed(6)).to.equal(
        golden.maxDrawdown.toFixed(6),
      );
    });

    it(`reproduces ${golden.symbol} through the engine`, () => {
      // each bar opens at the last close here: the table knows closes only, and buys at the first one
      const { openMs, close } = bars.get(golden.symbol)!;
      const row = close.map((price, t): Quote => [close[t - 1] ?? price, price]);
      const panel = panelOf([row], { startMs: openMs[0]! });
      const scores = new Float64Array(row.length).fill(Number.NaN);
      scores[0] = 1;
      const run = runBacktest({ panel, scores, trade: tradeOf(), ...always });
      const all = dailyReturns({ ...run, timeframeMs: hourMs }).returns;
      expect(sharpeOfDays(all).value.toFixed(6)).to.equal(golden.sharpeDaily.toFixed(6));
      const metrics = summariseRun(run, hourMs);
      expect(metrics.total_return.toFixed(6)).to.equal(golden.totalReturn.toFixed(6));
      expect(metrics.max_drawdown.toFixed(6)).to.equal(golden.maxDrawdown.toFixed(6));
      expect(metrics.pnl_before_cost).to.be.closeTo(metrics.pnl_after_cost, 1e-9);
    });
  }
});
