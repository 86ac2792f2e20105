import { expect } from 'chai';
import { barFeaturesBaseline, type FeatureSpec } from '../../../data/feature/index.ts';
import { barColumns } from '../../../data/market/barPanel.ts';
import { type BarPanel, barQuality, simulateMarket } from '../../../data/market/index.ts';
import { countDecisions, scorePanel } from '../../../models/backtest/index.ts';
import type { Scorer } from '../../../models/score/index.ts';

const { signal } = new AbortController();
const { panel } = simulateMarket({ seed: 4, symbols: 2, days: 120, timeframe: '1h', alpha: 1 });
const times = panel.openMs.length;
const spec: FeatureSpec = barFeaturesBaseline({ symbolCount: 2, timeframeMs: panel.timeframeMs });
const width = spec.entries.length;

/** A score that depends on every feature of its row; missing ones count as 9. */
const sum: Scorer = {
  featureCount: width,
  score: (features, rows) =>
    Float64Array.from({ length: rows }, (_, row) =>
      features
        .subarray(row * width, (row + 1) * width)
        .reduce((total, x, i) => total + (i + 1) * (Number.isNaN(x) ? 9 : x), 0),
    ),
};
const scored = (of: BarPanel): Float64Array => scorePanel(spec, [sum], of, signal)[0]!;

/** The panel with other bars, or none, from time t on. */
function changedFrom(t: number, how: 'gone' | 'other'): BarPanel {
  const copy: BarPanel = {
    ...panel,
    open: panel.open.slice(),
    high: panel.high.slice(),
    low: panel.low.slice(),
    close: panel.close.slice(),
    volume: panel.volume.slice(),
    quoteVolume: panel.quoteVolume.slice(),
    trades: panel.trades.slice(),
    takerBuyVolume: panel.takerBuyVolume.slice(),
    quality: panel.quality.slice(),
  };
  for (let at = 0; at < panel.close.length; at += 1) {
    if (at % times < t) continue;
    for (const column of barColumns(copy))
      column[at] = how === 'gone' ? Number.NaN : 2 * column[at]!;
    if (how === 'gone') copy.quality[at] = barQuality.missing;
  }
  return copy;
}

describe('scorePanel', () => {
  it('scores every bar that is there and has its look-back, and no other', () => {
    const grid = scored(panel);
    grid.forEach((score, at) => {
      const due = at % times >= spec.lookbackBars - 1 && !Number.isNaN(panel.close[at]!);
      expect(Number.isNaN(score), `cell ${at}`).to.equal(!due);
    });
  });

  for (const how of ['gone', 'other'] as const) {
    it(`decides at and before a time the same when all later bars are ${how}`, () => {
      const whole = scored(panel);
      for (const t of [spec.lookbackBars + 3, 1000, times - 5]) {
        const cut = scored(changedFrom(t, how));
        for (let at = 0; at < whole.length; at += 1) {
          if (at % times < t) expect(Object.is(cut[at], whole[at]), `cell ${at}`).to.equal(true);
        }
      }
    });
  }

  it('gives several scorers the same rows', () => {
    const twice: Scorer = { ...sum, score: (x, rows) => sum.score(x, rows).map((v) => 2 * v) };
    const [one, two] = scorePanel(spec, [sum, twice], panel, signal);
    expect([...two!]).to.deep.equal([...one!.map((score) => 2 * score)]);
  });

  it('stops on request', () => {
    expect(() => scorePanel(spec, [sum], panel, AbortSignal.abort()))
      .to.throw()
      .with.property('code', 'cancelled');
  });
});

describe('countDecisions', () => {
  it('counts bars of the window that are there, and those of them with a score', () => {
    const window = { from: panel.openMs[10]!, to: panel.openMs[20]! };
    const none = new Float64Array(panel.close.length).fill(Number.NaN);
    const due = [0, times].flatMap((first) => [...panel.close.slice(first + 10, first + 20)]);
    const decisions = due.filter((close) => !Number.isNaN(close)).length;
    expect(countDecisions(panel, none, window)).to.deep.equal({ decisions, scoredByModel: 0 });
    none[9] = 1;
    none[12] = 1;
    none[20] = 1;
    expect(countDecisions(panel, none, window)).to.deep.equal({ decisions, scoredByModel: 1 });
  });
});
