import { expect } from 'chai';
import fc from 'fast-check';
import { buildDataset, createSequenceView, gatherWindow } from '../../../data/dataset/index.ts';
import { barFeaturesV1, type FeatureSpec } from '../../../data/feature/index.ts';
import { bitsOf, history } from '../feature/rowHistory.ts';
import { randomPanel, toyTimeframeMs } from '../feature/toyPanel.ts';

/** v1's entries that look back at most 26 bars, as a spec of its own. */
function shortV1(symbolCount: number): FeatureSpec {
  const all = barFeaturesV1({ symbolCount, timeframeMs: toyTimeframeMs });
  const entries = all.entries.filter(
    ({ params }) => Math.max(params.bars ?? 0, params.long_bars ?? 0) <= 24,
  );
  return { payloadSchemaVersion: 'short', lookbackBars: 26, entries };
}

const channels = ['zero_volume', 'log_return_1', 'taker_imbalance_1', 'log_return_4'];

describe('sequence windows', () => {
  it('equal windows cut by hand from the rows of the stream, and are valid where every number in them is there', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 20 }),
        (seed, symbols, nTokens) => {
          const panel = randomPanel({ seed, symbols, times: 120, gapFrac: 0.02 });
          const featureSpec = shortV1(symbols);
          const dataset = buildDataset({
            panel,
            featureSpec,
            labelSpec: { horizonBars: 2, volatilityBars: null },
          });
          const view = createSequenceView(dataset, channels, nTokens);
          const rows = history(panel, featureSpec);
          const width = featureSpec.entries.length;
          const picks = channels.map((name) =>
            featureSpec.entries.findIndex((e) => e.name === name),
          );
          const out = new Float32Array(nTokens * channels.length + 3);
          for (let row = 0; row < dataset.rows; row += 1) {
            const s = dataset.symbolIndex[row]!;
            const end = dataset.timeIndex[row]!;
            const times = Array.from({ length: nTokens }, (_, i) => end - nTokens + 1 + i);
            const window = times.map((t) =>
              picks.map((f) => rows[t]?.[s * width + f] ?? Number.NaN),
            );
            const whole = times.every((t) => t >= 25 && !Number.isNaN(panel.close[s * 120 + t]!));
            const valid = whole && window.flat().every((x) => !Number.isNaN(x));
            expect(view.windowsValid[row]).to.equal(valid ? 1 : 0);
            if (!valid) continue;
            out.fill(-7);
            gatherWindow(view, row, out, 2);
            expect(bitsOf(out)).to.deep.equal(
              bitsOf(Float32Array.of(-7, -7, ...window.flat(), -7)),
            );
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  const panel = randomPanel({ seed: 1, symbols: 2, times: 200, gapFrac: 0.01 });
  const dataset = buildDataset({
    panel,
    featureSpec: shortV1(2),
    labelSpec: { horizonBars: 2, volatilityBars: null },
  });

  it('hold each bar once, however many rows and tokens there are, and say how far back they reach', () => {
    const view = createSequenceView(dataset, channels, 64);
    expect(view.series).to.have.length(2 * 200 * channels.length);
    expect(view.windowEnds).to.have.length(dataset.rows);
    expect([view.nTokens, view.nChannels, view.lookbackBars]).to.deep.equal([64, 4, 89]);
  });

  it('never reach into the symbol before: there is none before the panel begins', () => {
    const view = createSequenceView(dataset, ['zero_volume'], 150);
    const early = Array.from(view.windowsValid).filter(
      (valid, row) => valid === 1 && dataset.timeIndex[row]! < 174,
    );
    expect(early).to.deep.equal([]);
  });

  it('refuse unknown channels, no channels, no tokens, rows without a window, and too little room', () => {
    expect(() => createSequenceView(dataset, ['log_return_1', 'nonsense'], 4)).to.throw(
      /found nonsense/,
    );
    expect(() => createSequenceView(dataset, [], 4)).to.throw(/found none/);
    expect(() => createSequenceView(dataset, channels, 0)).to.throw(/at least 1 token/);
    const view = createSequenceView(dataset, channels, 20);
    const valid = view.windowsValid.indexOf(1);
    expect(() => gatherWindow(view, view.windowsValid.indexOf(0), new Float32Array(80))).to.throw(
      /valid window/,
    );
    expect(() => gatherWindow(view, dataset.rows, new Float32Array(80))).to.throw(/valid window/);
    expect(() => gatherWindow(view, valid, new Float32Array(79))).to.throw(/room for 20 x 4/);
  });
});
