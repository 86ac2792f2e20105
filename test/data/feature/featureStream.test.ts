import { expect } from 'chai';
import fc from 'fast-check';
import { SluiceError } from '../../../core/index.ts';
import {
  barFeaturesV1,
  computeLastRows,
  createFeatureStream,
  type FeatureEntry,
  type FeatureSpec,
} from '../../../data/feature/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { bitsOf, history } from './rowHistory.ts';
import {
  copyPanel,
  dropBar,
  moveBar,
  randomPanel,
  slicePanel,
  toyTimeframeMs,
} from './toyPanel.ts';

const specFor = (panel: BarPanel) =>
  barFeaturesV1({ symbolCount: panel.symbols.length, timeframeMs: panel.timeframeMs });
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof SluiceError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

describe('the feature stream', () => {
  it('gives, started cold anywhere, the bits of the whole history once the look-back has passed', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(),
          symbols: fc.integer({ min: 1, max: 4 }),
          start: fc.integer({ min: 1, max: 100 }),
          gapFrac: fc.constantFrom(0, 0.001, 0.05),
          taker: fc.boolean(),
        }),
        ({ start, ...options }) => {
          const panel = randomPanel({ ...options, times: 300, zeroVolumeFrac: 0.01 });
          const spec = specFor(panel);
          const whole = history(panel, spec);
          const cold = createFeatureStream(spec, panel.symbols.length, panel.timeframeMs);
          for (let t = start; t < 300; t += 1) {
            cold.push(panel, t);
            if (t < start + spec.lookbackBars - 1) continue;
            expect(bitsOf(cold.rows)).to.deep.equal(bitsOf(whole[t]!));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('gives the same last rows from a panel of the recent bars only, or of more', () => {
    const panel = randomPanel({ seed: 3, symbols: 3, times: 400, gapFrac: 0.002 });
    const spec = specFor(panel);
    const whole = history(panel, spec);
    for (const [from, to] of [
      [0, 169],
      [31, 200],
      [231, 400],
      [10, 400],
    ] as const) {
      const rows = computeLastRows(spec, slicePanel(panel, from, to));
      expect(bitsOf(rows)).to.deep.equal(bitsOf(whole[to - 1]!));
    }
  });

  it('refuses to compute last rows from too few bars', () => {
    const panel = randomPanel({ seed: 3, symbols: 1, times: 168 });
    expect(codeOf(() => computeLastRows(specFor(panel), panel))).to.equal('length_mismatch');
  });

  it('refuses times that repeat, go back or leave one out, and goes on where it was', () => {
    const panel = randomPanel({ seed: 4, symbols: 1, times: 10 });
    const stream = createFeatureStream(specFor(panel), 1, toyTimeframeMs);
    stream.push(panel, 3);
    for (const t of [3, 2, 5, 10, -1]) {
      expect(
        codeOf(() => stream.push(panel, t)),
        `time ${t}`,
      ).to.equal('unordered_time');
    }
    expect(codeOf(() => stream.push(panel, 4))).to.equal('nothing thrown');
  });

  it('takes a corrected bar after refusing a broken one, as if nothing had been', () => {
    const panel = randomPanel({ seed: 4, symbols: 2, times: 10 });
    const spec = specFor(panel);
    const broken = copyPanel(panel);
    broken.close[10 + 6] = -1;
    const stream = createFeatureStream(spec, 2, toyTimeframeMs);
    for (let t = 0; t < 10; t += 1) {
      if (t === 6) expect(codeOf(() => stream.push(broken, t))).to.equal('out_of_range');
      stream.push(panel, t);
    }
    expect(bitsOf(stream.rows)).to.deep.equal(bitsOf(history(panel, spec)[9]!));
  });

  it('refuses panels of another shape, another bar length, and bars that cannot be', () => {
    const panel = randomPanel({ seed: 4, symbols: 2, times: 10 });
    const stream = () => createFeatureStream(specFor(panel), 2, toyTimeframeMs);
    const three = randomPanel({ seed: 4, symbols: 3, times: 10 });
    expect(codeOf(() => stream().push(three, 0))).to.equal('length_mismatch');
    expect(codeOf(() => stream().push({ ...panel, timeframeMs: 60_000 }, 0))).to.equal(
      'length_mismatch',
    );
    expect(codeOf(() => createFeatureStream(specFor(panel), 2, 60_000))).to.equal('config_invalid');
    for (const [column, value] of [
      ['close', 0],
      ['low', -1],
      ['high', Number.POSITIVE_INFINITY],
      ['open', Number.NaN],
      ['volume', -1],
      ['volume', Number.NaN],
      ['quoteVolume', -1],
      ['trades', Number.POSITIVE_INFINITY],
      ['takerBuyVolume', -1],
    ] as const) {
      const broken = copyPanel(panel);
      broken[column][10] = value;
      expect(
        codeOf(() => stream().push(broken, 0)),
        `${column} ${value}`,
      ).to.equal('out_of_range');
    }
  });
});

/** Bars that an own-symbol feature looks at, from what it means. */
function barsSeen({ kind, params }: FeatureEntry): number {
  const { bars = 1, long_bars: longBars = 0 } = params;
  if (/^(log_return|realised_|relative_strength|return_rank)/.test(kind)) return bars + 1;
  if (kind === 'volatility_ratio') return longBars + 1;
  if (kind === 'return_autocorrelation') return bars + 2;
  return bars;
}

describe('the look-back of an entry', () => {
  const panel = randomPanel({ seed: 13, symbols: 2, times: 260 });
  const all = specFor(panel);

  it('is exactly the bars it needs: one fewer is refused, so many are enough for the bits of a longer one', () => {
    const whole = history(panel, all);
    all.entries.forEach((entry, f) => {
      const own = (lookbackBars: number) => ({ ...all, entries: [entry], lookbackBars });
      const needed = entry.source === 'cross_section' ? entry.params.bars! + 1 : barsSeen(entry);
      const tooShort = () => createFeatureStream(own(needed - 1), 2, toyTimeframeMs);
      expect(codeOf(tooShort), entry.name).to.equal('config_invalid');
      const rows = computeLastRows(own(needed), panel);
      const wanted = Float32Array.of(whole[259]![f]!, whole[259]![all.entries.length + f]!);
      expect(bitsOf(rows), entry.name).to.deep.equal(bitsOf(wanted));
    });
  });
});

describe('a gap in the bars', () => {
  it('makes exactly the windows that touch it NaN, and changes no other feature of the symbol by a bit', () => {
    const whole = randomPanel({ seed: 11, symbols: 3, times: 520 });
    const spec = specFor(whole);
    const before = history(whole, spec);
    for (const gap of [170, 171, 300, 349]) {
      const panel = copyPanel(whole);
      dropBar(panel, 1, gap);
      const after = history(panel, spec);
      for (let t = spec.lookbackBars - 1; t < 520; t += 1) {
        spec.entries.forEach((entry, f) => {
          const at = spec.entries.length + f;
          const touched = t >= gap && t < gap + barsSeen(entry);
          if (entry.nullable && !/^market_/.test(entry.kind)) {
            if (touched) expect(after[t]![at], `${entry.name} ${t - gap} after`).to.be.NaN;
            else expect(after[t]![at], `${entry.name} ${t - gap} after`).to.equal(before[t]![at]);
          }
        });
      }
    }
  });

  it('is told by the flags: missing share, idle bars, peers, taker volume', () => {
    const panel = randomPanel({ seed: 12, symbols: 2, times: 400, taker: false });
    const spec = specFor(panel);
    const column = (name: string) => spec.entries.findIndex((entry) => entry.name === name);
    dropBar(panel, 0, 200);
    const rows = history(panel, spec);
    const at = (t: number, s: number, name: string) =>
      rows[t]![s * spec.entries.length + column(name)];
    const share = Math.fround(1 / 169);
    expect([199, 200, 368, 369].map((t) => at(t, 0, 'bar_missing_share_169'))).to.deep.equal([
      0,
      share,
      share,
      0,
    ]);
    expect([199, 200, 224, 225].map((t) => at(t, 1, 'peer_share_24'))).to.deep.equal([1, 0, 0, 1]);
    expect(at(300, 1, 'market_return_24')).to.be.a('number').and.not.NaN;
    expect(at(210, 1, 'market_return_24')).to.be.NaN;
    expect(at(300, 0, 'taker_missing')).to.equal(1);
    expect(at(300, 0, 'taker_imbalance_24')).to.be.NaN;
  });
});

describe('what features know', () => {
  const spec: FeatureSpec = barFeaturesV1({ symbolCount: 3, timeframeMs: toyTimeframeMs });

  it('changing, adding or dropping any bars after t changes no row at or before t', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 218 }), (seed, t) => {
        const panel = randomPanel({ seed, symbols: 3, times: 220, gapFrac: 0.02 });
        const other = randomPanel({ seed: seed + 1, symbols: 3, times: 220, gapFrac: 0.2 });
        const changed = copyPanel(panel);
        for (let s = 0; s < 3; s += 1) {
          for (let u = t + 1; u < 220; u += 1) moveBar(other, changed, s, u);
        }
        const before = history(panel, spec);
        const after = history(changed, spec);
        for (let u = 0; u <= t; u += 1) {
          expect(bitsOf(after[u]!)).to.deep.equal(bitsOf(before[u]!));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('the bar at t itself does change the rows at t', () => {
    const panel = randomPanel({ seed: 5, symbols: 3, times: 220 });
    const changed = copyPanel(panel);
    moveBar(randomPanel({ seed: 6, symbols: 3, times: 220 }), changed, 0, 200);
    expect(history(changed, spec)[200]).to.not.deep.equal(history(panel, spec)[200]);
  });

  it('a row depends on its look-back only: other bars before it change nothing', () => {
    const panel = randomPanel({ seed: 8, symbols: 3, times: 220 });
    const changed = copyPanel(panel);
    const other = randomPanel({ seed: 9, symbols: 3, times: 220, gapFrac: 0.3 });
    for (let s = 0; s < 3; s += 1) {
      for (let u = 0; u < 40; u += 1) moveBar(other, changed, s, u);
    }
    const before = history(panel, spec);
    const after = history(changed, spec);
    expect(bitsOf(after[208]!)).to.deep.equal(bitsOf(before[208]!));
    expect(bitsOf(after[207]!)).to.not.deep.equal(bitsOf(before[207]!));
  });
});
