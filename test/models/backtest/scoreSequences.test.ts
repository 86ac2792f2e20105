// Scores of windows: equal to windows cut by hand, blind to what comes later, computed for nothing that was not asked.

import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom } from '../../../core/index.ts';
import { barFeaturesV1, type FeatureSpec } from '../../../data/feature/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { scoreSequences, type TimeSpan } from '../../../models/backtest/index.ts';
import { type SequenceScorer, sequenceScorer } from '../../../models/score/index.ts';
import { history } from '../../data/feature/rowHistory.ts';
import { copyPanel, dropBar, randomPanel, toyTimeframeMs } from '../../data/feature/toyPanel.ts';
import { randomNetwork } from '../score/tsmixerSamples.ts';

const { signal } = new AbortController();
const lookback = 26;
const channels = ['zero_volume', 'log_return_1', 'taker_imbalance_24', 'return_autocorrelation_24'];

/** Entries of several look-backs; the last channel has the spec's own. */
function specOf(symbolCount: number): FeatureSpec {
  const all = barFeaturesV1({ symbolCount, timeframeMs: toyTimeframeMs });
  const autocorrelation = all.entries.find(({ kind }) => kind === 'return_autocorrelation')!;
  const entries = [
    ...all.entries.filter(({ params }) => Math.max(params.bars ?? 0, params.long_bars ?? 0) <= 24),
    {
      ...autocorrelation,
      name: 'return_autocorrelation_24',
      params: { ...autocorrelation.params, bars: 24 },
    },
  ];
  return { payloadSchemaVersion: 'short', lookbackBars: lookback, entries };
}

/** A score that depends on every number of its window and on its place; missing ones count as 9. */
const digest = (window: Float32Array): number =>
  window.reduce((sum, x, i) => sum + Math.sin(i + 1) * (Number.isNaN(x) ? 9 : x), 0);

const placeScorer = (nTokens: number, asked: number[] = []): SequenceScorer => ({
  nTokens,
  nChannels: channels.length,
  score(windows, rows) {
    asked.push(rows);
    const size = windows.length / rows;
    return Float64Array.from({ length: rows }, (_, row) =>
      digest(windows.subarray(row * size, (row + 1) * size)),
    );
  },
});

/** Every window on its own, out of rows that one stream computed from the panel's first bar on. */
function slowScores(spec: FeatureSpec, panel: BarPanel, nTokens: number, span: TimeSpan | null) {
  const rows = history(panel, spec);
  const picks = channels.map((name) => spec.entries.findIndex((entry) => entry.name === name));
  const times = panel.openMs.length;
  return panel.close.map((close, at) => {
    const t = at % times;
    const s = Math.floor(at / times);
    const openMs = panel.openMs[t]!;
    if (Number.isNaN(close) || t - nTokens + 1 < spec.lookbackBars - 1) return Number.NaN;
    if (span !== null && (openMs < span.from || openMs >= span.to)) return Number.NaN;
    const window = rows
      .slice(t - nTokens + 1, t + 1)
      .flatMap((row) => picks.map((f) => row[s * spec.entries.length + f]!));
    return digest(Float32Array.from(window));
  });
}

describe('scoreSequences', () => {
  it('equals windows gathered bar by bar, to the bit, over random markets, gaps and spans', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 20 }),
        fc.option(fc.tuple(fc.integer({ min: -20, max: 220 }), fc.integer({ min: 0, max: 220 }))),
        (seed, symbols, nTokens, bars) => {
          const panel = randomPanel({ seed, symbols, times: 200, gapFrac: 0.03 });
          const spec = specOf(symbols);
          const [from, length] = bars ?? [0, 0];
          const begin = panel.openMs[0]! + from * toyTimeframeMs + (seed % 3) - 1;
          const span = bars && { from: begin, to: begin + length * toyTimeframeMs };
          const grid = scoreSequences(spec, channels, placeScorer(nTokens), panel, span, signal);
          expect(grid).to.deep.equal(slowScores(spec, panel, nTokens, span));
        },
      ),
      { numRuns: 60 },
    );
  });

  const panel = randomPanel({ seed: 3, symbols: 2, times: 600, gapFrac: 0.01 });
  const times = panel.openMs.length;
  const spec = specOf(2);
  const network = randomNetwork(createRandom(1), { nTokens: 12, nChannels: channels.length });
  const scored = (of: BarPanel) =>
    scoreSequences(spec, channels, sequenceScorer(network), of, null, signal);

  it('scores by a network every bar that is there, gaps in its window or not, from the whole look-back on', () => {
    const grid = scored(panel);
    grid.forEach((score, at) => {
      const due = at % times >= lookback + 12 - 2 && !Number.isNaN(panel.close[at]!);
      expect(Number.isFinite(score), `cell ${at}`).to.equal(due);
    });
  });

  for (const how of ['gone', 'other'] as const) {
    it(`decides at and before a time the same when all later bars are ${how}`, () => {
      const whole = scored(panel);
      for (const t of [lookback + 14, 300, times - 5]) {
        const changed = copyPanel(panel);
        for (let at = 0; at < panel.close.length; at += 1) {
          if (at % times <= t) continue;
          if (how === 'gone') dropBar(changed, Math.floor(at / times), at % times);
          else
            for (const column of ['open', 'high', 'low', 'close'] as const)
              changed[column][at]! *= 2;
        }
        const cut = scored(changed);
        const after = whole.filter((score, at) => at % times > t && score !== cut[at]);
        expect(after.length, 'later scores do change').to.be.above(0);
        for (let at = 0; at < whole.length; at += 1) {
          if (at % times <= t) expect(Object.is(cut[at], whole[at]), `cell ${at}`).to.equal(true);
        }
      }
    });
  }

  it('asks the scorer for the bars of the span alone, and for a few windows at a time', () => {
    const asked: number[] = [];
    const span = { from: panel.openMs[100]!, to: panel.openMs[550]! };
    const grid = scoreSequences(spec, channels, placeScorer(12, asked), panel, span, signal);
    const due = [0, times].flatMap((s) => [...panel.close.slice(s + 100, s + 550)]);
    const bars = due.filter((close) => !Number.isNaN(close)).length;
    expect(asked.reduce((sum, rows) => sum + rows, 0)).to.equal(bars);
    expect(grid.filter((score) => !Number.isNaN(score))).to.have.length(bars);
    expect(Math.max(...asked)).to.be.at.most(256);
  });

  it('asks nothing at all where no bar has its look-back or lies in the span', () => {
    const asked: number[] = [];
    const scorer = placeScorer(12, asked);
    const short = randomPanel({ seed: 3, symbols: 2, times: lookback + 10 });
    const [first, last] = [panel.openMs[0]!, panel.openMs.at(-1)!];
    const grids = [
      scoreSequences(spec, channels, scorer, short, null, signal),
      scoreSequences(spec, channels, scorer, panel, { from: first - 9, to: first }, signal),
      scoreSequences(spec, channels, scorer, panel, { from: last + 1, to: last + 9 }, signal),
    ];
    expect(asked).to.deep.equal([]);
    for (const grid of grids) expect(grid.every(Number.isNaN)).to.equal(true);
    expect(grids.map((grid) => grid.length)).to.deep.equal([72, 1200, 1200]);
  });

  it('refuses channels that the spec lacks, and a scorer of another width', () => {
    const call = (names: string[]) => () =>
      scoreSequences(spec, names, placeScorer(4), panel, null, signal);
    expect(call(['log_return_1', 'nonsense', 'b', 'c'])).to.throw(/found nonsense, b, c/);
    expect(call(['log_return_1']))
      .to.throw(/reads 4 channels; found 1/)
      .with.property('code', 'length_mismatch');
  });

  it('stops on request, between two chunks too', () => {
    const call = (scorer: SequenceScorer, stop: AbortSignal) => () =>
      scoreSequences(spec, channels, scorer, panel, null, stop);
    expect(call(placeScorer(4), AbortSignal.abort()))
      .to.throw()
      .with.property('code', 'cancelled');
    const stop = new AbortController();
    const asked: number[] = [];
    const once: SequenceScorer = {
      ...placeScorer(4),
      score(windows, rows) {
        stop.abort();
        return placeScorer(4, asked).score(windows, rows);
      },
    };
    expect(call(once, stop.signal)).to.throw().with.property('code', 'cancelled');
    expect(asked).to.have.length(1);
  });
});
