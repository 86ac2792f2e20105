import { expect } from 'chai';
import { silent } from '../../../core/index.ts';
import {
  type BarPanel,
  loadPanel,
  simulateMarket,
  storeMarket,
} from '../../../data/market/index.ts';
import { barReturns, eachBar, gone, judge, studentised, zLimit } from './predictors.ts';
import { folder, refusal, removeFolders } from './tables.ts';

const year = { seed: 1, symbols: 2, days: 365, timeframe: '1h', alpha: 1 };
/** The tabular F of the head of plantedReturn.ts, from public bars alone. */
function publicSignal(panel: BarPanel): Float64Array {
  const steps = panel.openMs.length;
  const out = new Float64Array(panel.close.length);
  const spread = 0.006 * Math.sqrt((24 * panel.timeframeMs) / 3_600_000);
  for (let s = 0; s < panel.symbols.length; s += 1) {
    let flow = 0;
    let signal = 0;
    for (let t = 0; t < steps; t += 1) {
      const at = s * steps + t;
      const traded = panel.volume[at]! > 0;
      const seen = (2 * panel.takerBuyVolume[at]!) / panel.volume[at]! - 1;
      const surprise = traded ? (seen - 0.9 * flow) / 0.1 : 0;
      flow = traded ? seen : 0.9 * flow;
      const run = t < 24 ? 0 : Math.log(panel.close[at]! / panel.close[at - 24]!);
      const gate = 0.4 - 0.6 * Math.tanh((2 * (Number.isNaN(run) ? 0 : run)) / spread);
      signal = 0.9 * signal + (traded ? Math.tanh(2 * surprise) * gate : 0);
      out[at] = signal;
    }
  }
  return out;
}

describe('the simulated market', () => {
  afterEach(removeFolders);

  it('is decided by its options: same seed same bytes, other seed other bytes', () => {
    const first = simulateMarket(year);
    expect(simulateMarket(year)).to.deep.equal(first);
    const versions = [
      first,
      simulateMarket({ ...year, seed: 2 }),
      simulateMarket({ ...year, alpha: 0 }),
      simulateMarket({ ...year, days: 364 }),
    ].map(({ panel }) => panel.dataVersion);
    expect(new Set(versions).size).to.equal(4);
  });

  it('gives a symbol the same bars however many others there are', () => {
    const { panel: two } = simulateMarket(year);
    const { panel: five } = simulateMarket({ ...year, symbols: 5 });
    expect(five.close.slice(0, two.close.length)).to.deep.equal(two.close);
    expect(five.volume.slice(0, two.volume.length)).to.deep.equal(two.volume);
  });

  it('is stored by the road of imports without a rejection, and loads as it was, bit for bit', async () => {
    const market = simulateMarket({ ...year, symbols: 3 });
    const report = await storeMarket(market, folder(), silent, new AbortController().signal);
    expect(report.rejected_count).to.equal(0);
    expect(report.venue).to.equal('simulator');
    expect(report.files[0]!.file).to.equal('simulator');
    const gaps = report.symbols.reduce((sum, symbol) => sum + symbol.gaps, 0);
    const zero = report.symbols.reduce((sum, symbol) => sum + symbol.zero_volume, 0);
    expect(gaps).to.be.greaterThan(0);
    expect(zero).to.be.greaterThan(0);
    expect(await loadPanel({ storePath: report.path })).to.deep.equal(market.panel);
  });

  it('has consistent bars: opens near the last close, taker and quote volume inside their bounds', () => {
    const { panel } = simulateMarket(year);
    eachBar(panel, (at, t) => {
      const [low, high, volume] = [panel.low[at]!, panel.high[at]!, panel.volume[at]!];
      const quote = panel.quoteVolume[at]!;
      const slack = 1e-12 * quote;
      if (quote < low * volume - slack || quote > high * volume + slack)
        throw new Error(`quote ${at}`);
      if (panel.takerBuyVolume[at]! > volume || panel.takerBuyVolume[at]! < 0)
        throw new Error(`taker ${at}`);
      const before = t > 0 && !gone(panel, at - 1) ? panel.close[at - 1]! : panel.open[at]!;
      if (Math.abs(panel.open[at]! / before - 1) > 0.002) throw new Error(`open ${at}`);
    });
  });

  it('moves like a liquid coin: 0.6 % an hour, fat tails, volatile spells, coins together, a daily wave of volume', () => {
    const { panel } = simulateMarket({ ...year, days: 1460 });
    const steps = panel.openMs.length;
    const returns = barReturns(panel);
    const pairs: [number, number][] = [];
    for (let t = 1; t < steps; t += 1) {
      const pair: [number, number] = [returns[t]!, returns[steps + t]!];
      if (pair.every(Number.isFinite)) pairs.push(pair);
    }
    const mean = (f: (a: number, b: number) => number) =>
      pairs.reduce((sum, [a, b]) => sum + f(a, b), 0) / pairs.length;
    const variance = mean((a) => a * a);
    expect(Math.sqrt(variance)).to.be.within(0.004, 0.01);
    expect(mean((a) => a ** 4) / variance ** 2).to.be.greaterThan(5);
    expect(mean((a, b) => a * b) / Math.sqrt(variance * mean((_, b) => b * b))).to.be.within(
      0.35,
      0.65,
    );
    const calm = (from: number) =>
      pairs.slice(from, from + 100).reduce((sum, [a]) => sum + a * a, 0);
    const spells = Array.from({ length: Math.floor(pairs.length / 100) }, (_, k) => calm(100 * k));
    expect(Math.max(...spells) / Math.min(...spells)).to.be.greaterThan(4);
    const byHour = Array.from({ length: 24 }, () => 0);
    eachBar(panel, (at, t) => {
      byHour[t % 24]! += panel.volume[at]!;
    });
    expect(Math.max(...byHour) / Math.min(...byHour)).to.be.greaterThan(2);
  });

  it('states as expected nothing but a function of public bars, times one of two volatilities', () => {
    const { panel, expected } = simulateMarket({ ...year, symbols: 1 });
    const signal = publicSignal(panel);
    const factors = new Set<string>();
    eachBar(panel, (at) => {
      if (Math.abs(signal[at]!) > 0.01) factors.add((expected[at]! / signal[at]!).toPrecision(7));
    });
    expect(factors.size).to.equal(2);
  });

  it('at alpha 0 is a martingale: no predictor made of the past has a mean product with the next return', () => {
    const panels = Array.from({ length: 24 }, (_, k) =>
      simulateMarket({ ...year, symbols: 1, days: 1000, seed: 100 + k, alpha: 0 }),
    );
    expect(
      panels.every(({ expected }) => expected.every((e) => e === 0 || Number.isNaN(e))),
    ).to.equal(true);
    const predictors: Record<string, (panel: BarPanel) => Float64Array> = {
      one: (panel) => panel.close.map(() => 1),
      lastReturn: barReturns,
      lastSign: (panel) => barReturns(panel).map(Math.sign),
      lastVolatility: (panel) => barReturns(panel).map(Math.abs),
      orderFlow: (panel) => panel.takerBuyVolume.map((b, at) => (2 * b) / panel.volume[at]! - 1),
      volume: (panel) => panel.volume.map((v) => Math.log(v + 1)),
      hour: (panel) => panel.close.map((_, at) => Math.cos((2 * Math.PI * at) / 24)),
      planted: publicSignal,
    };
    for (const [name, predictor] of Object.entries(predictors)) {
      const z = studentised(
        panels.map(({ panel }) => panel),
        predictor,
      );
      expect(Math.abs(z), `${name}: z = ${z}`).to.be.lessThan(zLimit);
    }
  });

  describe('at alpha 1', () => {
    const markets = Array.from({ length: 12 }, (_, k) =>
      simulateMarket({ ...year, symbols: 1, days: 1000, seed: 200 + k }),
    );

    it('has an expected return that is right on average and correlates 0.15 to 0.2 with what comes', () => {
      const { ic, slope, slopeError } = judge(markets);
      expect(ic).to.be.within(0.15, 0.2);
      expect(Math.abs(slope - 1) / slopeError, `slope ${slope} +- ${slopeError}`).to.be.lessThan(
        zLimit,
      );
    });

    it('shows it to the planted function, less to order flow alone, not to past returns', () => {
      const panels = markets.map(({ panel }) => panel);
      const planted = studentised(panels, publicSignal);
      const flow = studentised(panels, (panel) =>
        panel.takerBuyVolume.map((b, at) => (2 * b) / panel.volume[at]! - 1),
      );
      expect(planted).to.be.greaterThan(flow + zLimit);
      expect(flow).to.be.greaterThan(zLimit);
      expect(Math.abs(studentised(panels, barReturns))).to.be.lessThan(zLimit);
    });
  });

  it('plants in proportion to alpha', () => {
    const one = simulateMarket({ ...year, days: 30 });
    const half = simulateMarket({ ...year, days: 30, alpha: 0.5 });
    expect(half.expected[20]! / one.expected[20]!).to.be.closeTo(0.5, 0.02);
  });

  it('refuses what is no market, naming all that is wrong', async () => {
    const error = await refusal(
      Promise.resolve().then(() =>
        simulateMarket({ seed: 0.5, symbols: 0, days: -1, timeframe: '7h', alpha: Number.NaN }),
      ),
    );
    expect(error.code).to.equal('out_of_range');
    for (const word of ['seed', 'symbols', 'days', 'alpha', 'timeframe']) {
      expect(error.message).to.contain(word);
    }
  });
});
