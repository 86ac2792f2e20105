import { expect } from 'chai';
import {
  barFeaturesBaseline,
  barFeaturesV1,
  createFeatureStream,
  type FeatureEntry,
  type FeatureSpec,
} from '../../../data/feature/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { type ToyBars, toyPanel, toyTimeframeMs } from './toyPanel.ts';

const shapes: Readonly<Record<string, Pick<FeatureEntry, 'unit' | 'source' | 'nullable'>>> = {
  calendar_sine: { unit: 'radian_sine', source: 'calendar', nullable: false },
  calendar_cosine: { unit: 'radian_cosine', source: 'calendar', nullable: false },
  peer_share: { unit: 'share', source: 'cross_section', nullable: false },
  bar_missing_share: { unit: 'share', source: 'bars', nullable: false },
};
const v1 = barFeaturesV1({ symbolCount: 2, timeframeMs: toyTimeframeMs });

/** A spec of one entry with windows small enough for a toy. */
function oneFeature(kind: string, params: Readonly<Record<string, number>>): FeatureSpec {
  const like = v1.entries.find((entry) => entry.kind === kind);
  const shape = shapes[kind] ?? like;
  if (shape === undefined) throw new Error(`no entry of kind ${kind}`);
  const { unit, source, nullable } = shape;
  const all = { ...params, bar_ms: toyTimeframeMs };
  const entry = {
    name: kind,
    dtype: 'float32',
    unit,
    source,
    nullable,
    kind,
    params: all,
  } as const;
  return { payloadSchemaVersion: 'toy', lookbackBars: 10, entries: [entry] };
}

/** The feature of every symbol at every time, [T][S]. */
function history(panel: BarPanel, spec: FeatureSpec): number[][] {
  const stream = createFeatureStream(spec, panel.symbols.length, panel.timeframeMs);
  return Array.from(panel.openMs, (_, t) => {
    stream.push(panel, t);
    return Array.from(stream.rows);
  });
}

/** The feature of the first symbol at every time. */
const values = (bars: ToyBars | readonly ToyBars[], kind: string, params = {}): number[] =>
  history(toyPanel([bars].flat()), oneFeature(kind, params)).map((row) => row[0]!);

const near = (found: readonly number[], wanted: readonly (number | null)[]) => {
  expect(found).to.have.length(wanted.length);
  wanted.forEach((value, t) => {
    if (value === null) expect(found[t], `bar ${t}`).to.be.NaN;
    else expect(found[t], `bar ${t}`).closeTo(value, 1e-7 * Math.max(1, Math.abs(value)));
  });
};

const log2 = Math.log(2);
const powers: ToyBars = { symbol: 'A', close: [1, 2, 4, 2, null, 2, 4, 8, 16, 8] };

describe('bar features, worked by hand on ten bars', () => {
  it('log_return is the log of a ratio of closes, and a missing bar spoils exactly the returns that span it', () => {
    near(values(powers, 'log_return', { bars: 1 }), [
      null,
      log2,
      log2,
      -log2,
      null,
      null,
      log2,
      log2,
      log2,
      -log2,
    ]);
    near(values(powers, 'log_return', { bars: 3 }), [
      null,
      null,
      null,
      log2,
      null,
      null,
      null,
      null,
      3 * log2,
      log2,
    ]);
  });

  it('realised_volatility is the root mean square of one-bar log returns', () => {
    const close = [1, 2, 2, 4, 4, 4, 4, 4, 4, 1];
    const half = log2 * Math.SQRT1_2;
    near(values({ symbol: 'A', close }, 'realised_volatility', { bars: 2 }), [
      null,
      null,
      half,
      half,
      half,
      0,
      0,
      0,
      0,
      2 * log2 * Math.SQRT1_2,
    ]);
  });

  it('volatility_ratio compares the last bars with more bars, and has no value where the price stood still', () => {
    const close = [1, 2, 2, 2, 2, 2, 2, 2, 2, 4];
    near(values({ symbol: 'A', close }, 'volatility_ratio', { short_bars: 1, long_bars: 4 }), [
      null,
      null,
      null,
      null,
      0,
      null,
      null,
      null,
      null,
      2,
    ]);
  });

  it('parkinson_volatility scales the mean squared log range by 4 ln 2', () => {
    const close = [2, 2, 2, 2, 2, 2, 2, 2, 2, null];
    const high = [4, 4, 2, 2, 2, 2, 2, 2, 2, 2];
    const one = log2 / Math.sqrt(4 * log2);
    near(values({ symbol: 'A', close, high }, 'parkinson_volatility', { bars: 2 }), [
      null,
      one,
      one * Math.SQRT1_2,
      0,
      0,
      0,
      0,
      0,
      0,
      null,
    ]);
  });

  it('return_autocorrelation is -1 for a zigzag, 1 for steady growth', () => {
    const zigzag = [1, 2, 1, 2, 1, 2, 4, 8, 16, 32];
    near(values({ symbol: 'A', close: zigzag }, 'return_autocorrelation', { bars: 3 }), [
      null,
      null,
      null,
      null,
      -1,
      -1,
      -1 / 3,
      1 / 3,
      1,
      1,
    ]);
  });

  it('realised_skewness is sqrt(n) for one jump up and 0 for a jump there and back', () => {
    const close = [1, 1, 1, 1, 2, 2, 2, 2, 1, 2];
    const jump = 2;
    near(values({ symbol: 'A', close }, 'realised_skewness', { bars: 4 }), [
      null,
      null,
      null,
      null,
      jump,
      jump,
      jump,
      jump,
      -jump,
      0,
    ]);
  });

  it('close_location runs from -1 at the lowest low to 1 at the highest high, 0 in an empty range', () => {
    const close = [10, 12, 8, 10, null, 10, 10, 10, 10, 11];
    const high = [12, 12, 12, 10, 10, 10, 10, 10, 12, 12];
    const low = [8, 8, 8, 10, 10, 10, 10, 10, 8, 8];
    near(values({ symbol: 'A', close, high, low }, 'close_location', { bars: 1 }), [
      0,
      1,
      -1,
      0,
      null,
      0,
      0,
      0,
      0,
      0.5,
    ]);
    near(values({ symbol: 'A', close, high, low }, 'close_location', { bars: 3 }), [
      null,
      null,
      -1,
      0,
      null,
      null,
      null,
      0,
      0,
      0.5,
    ]);
  });

  it('volume_zscore is the distance of the root volume from its mean in sample deviations', () => {
    const close = Array(10).fill(1);
    const volume = [0, 1, 4, 4, 4, 4, 9, 0, 0, 0]; // roots 0 1 2 2 2 2 3 0 0 0
    const third = 2 / Math.sqrt(3); // (3 - 7/3) / sqrt(1/3)
    near(values({ symbol: 'A', close, volume }, 'volume_zscore', { bars: 3 }), [
      null,
      null,
      1,
      1 / Math.sqrt(3),
      null,
      null,
      third,
      -(5 / 3) / Math.sqrt(7 / 3),
      -1 / Math.sqrt(3),
      null,
    ]);
  });

  it('quote_volume_zscore and trades_zscore do the same with their columns, and have no value without them', () => {
    const close = Array(10).fill(1);
    const volume = [0, 1, 4, 4, 4, 4, 4, 4, 4, 9];
    const trades = [9, 4, 1, 1, 1, 1, 1, 1, 1, 0];
    const bars = { symbol: 'A', close, volume, trades };
    expect(values(bars, 'quote_volume_zscore', { bars: 3 })[2]).closeTo(1, 1e-7);
    expect(values(bars, 'trades_zscore', { bars: 3 })[2]).closeTo(-1, 1e-7);
    near(
      values({ symbol: 'A', close, volume }, 'trades_zscore', { bars: 3 }),
      Array(10).fill(null),
    );
  });

  it('taker_imbalance runs from -1 (sellers took all) to 1 over summed volumes, 0 where nobody traded', () => {
    const close = Array(10).fill(1);
    const volume = [4, 4, 4, 0, 0, 8, 8, 8, 8, 8];
    const takerBuyVolume = [4, 0, 3, 0, 0, 8, 4, 4, 2, Number.NaN];
    const bars = { symbol: 'A', close, volume, takerBuyVolume };
    near(values(bars, 'taker_imbalance', { bars: 1 }), [1, -1, 0.5, 0, 0, 1, 0, 0, -0.5, null]);
    near(values(bars, 'taker_imbalance', { bars: 2 }), [
      null,
      0,
      -0.25,
      0.5,
      0,
      1,
      0.5,
      0,
      -0.25,
      null,
    ]);
    near(values(bars, 'taker_missing'), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    near(values(bars, 'zero_volume'), [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
    // imbalances 1, -1, 0.5: mean 1/6, sample variance 13/12
    expect(values(bars, 'taker_imbalance_zscore', { bars: 3 })[2]).closeTo(
      1 / 3 / Math.sqrt(13 / 12),
      1e-7,
    );
  });

  it('bar_missing_share counts missing bars, bars before the first among them', () => {
    near(
      values(powers, 'bar_missing_share', { bars: 4 }),
      [0.75, 0.5, 0.25, 0, 0.25, 0.25, 0.25, 0.25, 0, 0],
    );
  });

  it('calendar features tell the phase of the close: midnight is 0, noon is half a turn', () => {
    const close = Array(24).fill(1);
    const sine = values({ symbol: 'A', close }, 'calendar_sine', { period_ms: 86_400_000 });
    const cosine = values({ symbol: 'A', close }, 'calendar_cosine', { period_ms: 86_400_000 });
    expect([sine[23], sine[5]]).to.deep.equal([0, 1]); // the bar of 23:00 closes at midnight, that of 05:00 at 6
    expect([cosine[23], cosine[11]]).to.deep.equal([1, -1]);
  });
});

describe('cross-sectional features, worked by hand', () => {
  const others: readonly ToyBars[] = [
    { symbol: 'A', close: [1, 2, 2, 2, 4, 4, 4, 4, null, 4] },
    { symbol: 'B', close: [1, 4, 4, 4, 4, 4, 8, 8, 8, 8] },
    { symbol: 'C', close: [1, 1, null, 1, 2, 4, 8, 8, 8, 8] },
  ];

  it('market_return is the mean return of the others that have one', () => {
    near(values(others, 'market_return', { bars: 1 }), [
      null,
      log2,
      0,
      0,
      log2 / 2,
      log2 / 2,
      log2,
      0,
      0,
      0,
    ]);
  });

  it('relative_strength is the own return less that, and is missing with the own return', () => {
    near(values(others, 'relative_strength', { bars: 1 }), [
      null,
      0,
      0,
      0,
      log2 / 2,
      -log2 / 2,
      -log2,
      0,
      null,
      null,
    ]);
  });

  it('return_rank is the share of the others that did worse, ties counting half', () => {
    near(values(others, 'return_rank', { bars: 1 }), [
      null,
      0.5,
      0.5,
      0.5,
      0.75,
      0.25,
      0,
      0.5,
      null,
      null,
    ]);
  });

  it('market_volatility is the mean volatility of the others that have one', () => {
    near(values(others, 'market_volatility', { bars: 1 }), [
      null,
      log2,
      0,
      0,
      log2 / 2,
      log2 / 2,
      log2,
      0,
      0,
      0,
    ]);
  });

  it('peer_share says how many of the others that rests on', () => {
    near(values(others, 'peer_share', { bars: 1 }), [0, 1, 0.5, 0.5, 1, 1, 1, 1, 1, 1]);
  });

  it('has no market where there is no other symbol', () => {
    near(values(others.slice(0, 1), 'market_return', { bars: 1 }), Array(10).fill(null));
    near(values(others.slice(0, 1), 'return_rank', { bars: 1 }), Array(10).fill(null));
    near(values(others.slice(0, 1), 'peer_share', { bars: 1 }), Array(10).fill(0));
  });
});

describe('the feature sets that are shipped', () => {
  it('v1 has about 40 entries, looks back 169 bars, and takes the cross-section from two symbols on', () => {
    const alone = barFeaturesV1({ symbolCount: 1, timeframeMs: toyTimeframeMs });
    expect(v1.entries).to.have.length(45);
    expect(alone.entries).to.have.length(37);
    expect(alone.entries.some((entry) => entry.source === 'cross_section')).to.equal(false);
    expect([v1.lookbackBars, alone.lookbackBars]).to.deep.equal([169, 169]);
  });

  it('leaves out a calendar that never moves for bars of a day', () => {
    const daily = barFeaturesV1({ symbolCount: 2, timeframeMs: 86_400_000 });
    const names = daily.entries.filter((entry) => entry.source === 'calendar').map((e) => e.name);
    expect(names).to.deep.equal(['day_of_week_sin', 'day_of_week_cos']);
  });

  it('the baseline is six returns and volatilities of the symbol alone', () => {
    const baseline = barFeaturesBaseline({ symbolCount: 20, timeframeMs: toyTimeframeMs });
    expect(baseline.entries.map((entry) => entry.name)).to.deep.equal([
      'log_return_1',
      'log_return_4',
      'log_return_24',
      'log_return_168',
      'realised_volatility_24',
      'realised_volatility_168',
    ]);
  });
});
