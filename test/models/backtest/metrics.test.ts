// Metrics by hand, and what they refuse.

import { expect } from 'chai';
import { dayMs, hourMs, runMetricsSchema, type SluiceError } from '../../../core/index.ts';
import {
  type BacktestResult,
  dailyReturns,
  gateSharpe,
  maxDrawdown,
  runBacktest,
  type SharpeDaily,
  type StepSeries,
  sharpeDaily,
  sharpeOfDays,
  sharpeStepRaw,
  summariseRun,
  wholeDays,
} from '../../../models/backtest/index.ts';
import {
  always,
  newYear,
  panelOf,
  type Quote,
  randomPanel,
  randomScores,
  tradeOf,
} from './market.ts';

/** Steps of a timeframe from a first open on, with the given pnl. */
function stepsOf(pnl: number[], timeframeMs: number, firstOpenMs = newYear): StepSeries {
  let equity = 100;
  return {
    timeframeMs,
    initialEquity: 100,
    closeMs: Float64Array.from(pnl, (_, k) => firstOpenMs + (k + 1) * timeframeMs),
    pnl: Float64Array.from(pnl),
    equity: Float64Array.from(pnl, (change) => {
      equity += change;
      return equity;
    }),
  };
}

const codeOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return (error as SluiceError).code;
  }
  return 'nothing';
};

describe('sharpe_daily, daily_agg_v1', () => {
  it('sums step pnl by UTC day over the equity at the day start', () => {
    // two days of 12 h bars: +5 +5 on 100, then -11 +0 on 110
    const daily = dailyReturns(stepsOf([5, 5, -11, 0], 12 * hourMs));
    expect(Array.from(daily.returns)).to.deep.equal([0.1, -0.1]);
    expect(daily).to.include({
      firstDay: newYear / dayMs,
      firstIsPartial: false,
      lastIsPartial: false,
    });
  });

  it('is mean over std with ddof 1, times the root of 365', () => {
    // returns 0.1, -0.1, 0.06: mean 0.02, squares 0.0064 + 0.0144 + 0.0016 = 0.0224, std sqrt(0.0112)
    const sharpe = sharpeDaily(stepsOf([10, -11, 99 * 0.06], dayMs));
    expect(sharpe.value).to.be.closeTo((0.02 / Math.sqrt(0.0112)) * Math.sqrt(365), 1e-12);
    expect(sharpe).to.include({
      method: 'daily_agg_v1',
      observationDays: 3,
      volFloorApplied: false,
    });
  });

  it('gives a step to the day of its bar open: the bar 23-24 to the day that it ends', () => {
    const daily = dailyReturns(stepsOf([1, 1], hourMs, newYear + 23 * hourMs));
    expect(Array.from(daily.returns)).to.deep.equal([1 / 100, 1 / 101]);
    expect(daily).to.include({ firstIsPartial: true, lastIsPartial: true });
  });

  it('counts calendar days without a step as 0', () => {
    const steps = stepsOf([1, 1, 1], dayMs);
    steps.closeMs.set([newYear + dayMs, newYear + 4 * dayMs, newYear + 5 * dayMs]);
    expect(Array.from(dailyReturns(steps).returns)).to.deep.equal([0.01, 0, 0, 1 / 101, 1 / 102]);
    expect(sharpeDaily(steps).observationDays).to.equal(5);
  });

  it('drops partial first and last days, and what remains may be nothing', () => {
    const middle = dailyReturns(stepsOf(Array(60).fill(1), hourMs, newYear + 5 * hourMs));
    expect(middle.returns.length).to.equal(3);
    expect(wholeDays(middle).firstDay).to.equal(newYear / dayMs + 1);
    expect(wholeDays(middle).returns.length).to.equal(1);
    const short = stepsOf([1, 1], hourMs, newYear + 5 * hourMs);
    expect(wholeDays(dailyReturns(short)).returns.length).to.equal(0);
    expect(sharpeDaily(short)).to.include({ value: 0, observationDays: 0, volFloorApplied: true });
  });

  it('tells a constant series by max - min, and divides by the floor', () => {
    // 0.1 has no exact binary form: its computed std over many days is about 1e-17, not 0
    const constant = sharpeOfDays(Array(1000).fill(0.1), 0.01);
    expect(constant.value).to.be.closeTo(10 * Math.sqrt(365), 1e-9);
    expect(constant.volFloorApplied).to.equal(true);
    expect(sharpeOfDays(Array(1000).fill(0.1), 1e-30).volFloorApplied).to.equal(true);
    expect(sharpeOfDays(Array(1000).fill(0)).value).to.equal(0);
    const quiet = sharpeOfDays([1e-6, 3e-6]);
    expect(quiet.volFloorApplied).to.equal(true);
    expect(quiet.value).to.be.closeTo((2e-6 / 1e-4) * Math.sqrt(365), 1e-12);
  });

  it('is the only Sharpe that a gate takes: the other does not compile, and is refused at run time', () => {
    const steps = stepsOf([1, -1, 2], dayMs);
    expect(gateSharpe(sharpeDaily(steps))).to.equal(sharpeDaily(steps).value);
    // @ts-expect-error a step Sharpe is not the gate's
    expect(codeOf(() => gateSharpe(sharpeStepRaw(steps)))).to.equal('input_invalid');
    // @ts-expect-error nor is a bare number
    expect(codeOf(() => gateSharpe(1.5))).to.equal('input_invalid');
    expect(codeOf(() => gateSharpe(undefined as unknown as SharpeDaily))).to.equal('input_invalid');
  });
});

describe('metrics of a run', () => {
  it('annualises step returns by the root of steps per year', () => {
    // returns 0.01 and -0.01 * 101/101: mean and std by hand
    const raw = sharpeStepRaw(stepsOf([1, -2.02], 4 * hourMs));
    // returns 0.01, -0.02: mean -0.005, std 0.03 / sqrt 2
    expect(raw.value).to.be.closeTo((-0.005 / (0.03 / Math.SQRT2)) * Math.sqrt(365 * 6), 1e-12);
    expect(sharpeStepRaw(stepsOf([0, 0, 0], hourMs)).value).to.equal(0);
  });

  it('measures drawdown from the highest equity so far, the initial one included', () => {
    expect(maxDrawdown([90, 120, 60, 130, 100], 100)).to.equal(-0.5);
    expect(maxDrawdown([90, 95], 100)).to.be.closeTo(-0.1, 1e-15);
    expect(maxDrawdown([100, 101], 100)).to.equal(0);
  });

  it('refuses non-numbers, unequal lengths and times out of order', () => {
    const steps = stepsOf([1, 2, 3], dayMs);
    const longer = Float64Array.of(1, 2, 3, 4);
    const bad = Float64Array.of(1, Number.NaN, 3);
    const back = Float64Array.of(3, 2, 1);
    for (const metric of [sharpeDaily, sharpeStepRaw, dailyReturns]) {
      expect(codeOf(() => metric({ ...steps, pnl: bad }))).to.equal('non_finite');
      expect(codeOf(() => metric({ ...steps, equity: bad }))).to.equal('non_finite');
      expect(codeOf(() => metric({ ...steps, closeMs: bad }))).to.equal('non_finite');
      expect(codeOf(() => metric({ ...steps, initialEquity: Number.POSITIVE_INFINITY }))).to.equal(
        'non_finite',
      );
      expect(codeOf(() => metric({ ...steps, pnl: longer }))).to.equal('length_mismatch');
      expect(codeOf(() => metric({ ...steps, closeMs: back }))).to.equal('unordered_time');
    }
    expect(codeOf(() => sharpeOfDays([0.1, Number.NaN]))).to.equal('non_finite');
    expect(codeOf(() => maxDrawdown([Number.NaN], 1))).to.equal('non_finite');
    expect(codeOf(() => dailyReturns(stepsOf([], dayMs)))).to.equal('out_of_range');
  });

  it('summarises a run by hand', () => {
    const row: Quote[] = [
      [100, 100],
      [100, 110],
      [110, 99],
      [99, 99],
    ];
    const panel = panelOf([row], { timeframeMs: dayMs });
    const trade = tradeOf({ constraint: { min_notional: 1 } });
    const scores = Float64Array.of(1, Number.NaN, 0, Number.NaN);
    const result = runBacktest({ panel, scores, trade, ...always });
    const metrics = summariseRun(result, dayMs);
    expect(metrics).to.deep.include({
      total_return: 990 / 1000 - 1,
      pnl_before_cost: -10,
      pnl_after_cost: -10,
      hit_rate: 0.5,
      exposure: 0.5,
      fills: 2,
      rejects: 0,
      reject_rate: 0,
      missing_bars: 0,
      observation_days: 4,
    });
    // bought 1000 on 1000, sold 990 on 990, in 4 days
    expect(metrics.turnover).to.be.closeTo(2 / 4, 1e-15);
    expect(metrics.max_drawdown).to.be.closeTo(-0.1, 1e-15);
    expect(metrics.daily.first_day).to.equal(newYear / dayMs);
    expect(metrics.daily.returns).to.deep.equal([0, 0.1, -0.1, 0]);
  });

  it('fills the stored shape, strictly, with finite numbers, from any run; even a ruined one', () => {
    const seeds = Array.from({ length: 50 }, (_, seed) => seed);
    const runs = seeds.map((seed): BacktestResult => {
      const panel = randomPanel(seed, 2, 80, { jump: 0.3 });
      const trade = tradeOf({ sizing: { max_weight: 5 }, constraint: { max_gross: 5 } });
      return runBacktest({ panel, scores: randomScores(seed, panel), trade, ...always });
    });
    expect(runs.some((run) => run.equity.at(-1)! <= 0)).to.equal(true);
    for (const run of runs) {
      const metrics = summariseRun(run, hourMs);
      expect(runMetricsSchema.parse(metrics)).to.deep.equal(metrics);
    }
  });
});
