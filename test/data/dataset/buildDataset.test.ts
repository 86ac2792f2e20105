import { expect } from 'chai';
import fc from 'fast-check';
import { SluiceError } from '../../../core/index.ts';
import { buildDataset, type Dataset, datasetDigest } from '../../../data/dataset/index.ts';
import {
  barFeaturesBaseline,
  barFeaturesV1,
  type FeatureSpec,
} from '../../../data/feature/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { bitsOf, history } from '../feature/rowHistory.ts';
import {
  copyPanel,
  dropBar,
  moveBar,
  randomPanel,
  toyPanel,
  toyStartMs,
  toyTimeframeMs,
} from '../feature/toyPanel.ts';

/** A spec that looks back two bars, so that ten bars make rows. */
const shortSpec: FeatureSpec = {
  payloadSchemaVersion: 'short',
  lookbackBars: 2,
  entries: barFeaturesBaseline({ symbolCount: 1, timeframeMs: toyTimeframeMs }).entries.slice(0, 1),
};
const openAt = (t: number) => toyStartMs + t * toyTimeframeMs;
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof SluiceError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

describe('a dataset, worked by hand', () => {
  const open = [10, 11, 12, 15, 16, 20, 10, 40, 80, 100];
  const close = [10, 20, 10, 10, 10, null, 10, 10, 10, 10];
  const plain = buildDataset({
    panel: toyPanel([{ symbol: 'A', close, open }]),
    featureSpec: shortSpec,
    labelSpec: { horizonBars: 2, volatilityBars: null },
  });

  it('labels bar t with open[t+3] / open[t+1] - 1 for a horizon of two bars', () => {
    // t=2: the exit open is missing, t=4: the entry open, t=5: the bar itself, t>6: no exit yet; t=0: look-back
    expect(Array.from(plain.timeIndex)).to.deep.equal([1, 3, 6]);
    expect(Array.from(plain.labels)).to.deep.equal(
      [16 / 12 - 1, 10 / 16 - 1, 100 / 40 - 1].map(Math.fround),
    );
    expect(Array.from(plain.labelScale)).to.deep.equal([1, 1, 1]);
  });

  it('carries the label interval and the oldest bar that a feature saw', () => {
    expect(Array.from(plain.t0)).to.deep.equal([openAt(2), openAt(4), openAt(7)]);
    expect(Array.from(plain.t1)).to.deep.equal([openAt(4), openAt(6), openAt(9)]);
    expect(Array.from(plain.featureFromMs)).to.deep.equal([openAt(0), openAt(2), openAt(5)]);
  });

  it('keeps a row whose features are missing, and says that its look-back is not clean', () => {
    expect(Array.from(plain.features)).to.deep.equal([Math.fround(Math.log(2)), 0, Number.NaN]);
    expect(Array.from(plain.clean)).to.deep.equal([1, 1, 0]);
  });

  it('divides by realised volatility times the root of the horizon, and leaves out rows where that is zero or missing', () => {
    const scaled = buildDataset({
      panel: toyPanel([{ symbol: 'A', close, open }]),
      featureSpec: shortSpec,
      labelSpec: { horizonBars: 2, volatilityBars: 2 },
    });
    // t=3: log returns -log 2 and 0: volatility log2 / sqrt 2, times sqrt 2; t=1 and t=6 lack a return
    expect(Array.from(scaled.timeIndex)).to.deep.equal([3]);
    expect(scaled.labelScale[0]).closeTo(Math.log(2), 1e-7);
    expect(scaled.labels[0]).closeTo(-0.375 / Math.log(2), 1e-7);
    const still = buildDataset({
      panel: toyPanel([{ symbol: 'A', close: Array(10).fill(7) }]),
      featureSpec: shortSpec,
      labelSpec: { horizonBars: 1, volatilityBars: 2 },
    });
    expect(still.rows).to.equal(0);
  });

  it('orders rows by time, then by symbol', () => {
    const two = buildDataset({
      panel: toyPanel([
        { symbol: 'A', close: [1, 2, 3, 4, 5] },
        { symbol: 'B', close: [null, null, 3, 4, 5] },
      ]),
      featureSpec: shortSpec,
      labelSpec: { horizonBars: 1, volatilityBars: null },
    });
    expect(Array.from(two.timeIndex)).to.deep.equal([1, 2, 2]);
    expect(Array.from(two.symbolIndex)).to.deep.equal([0, 0, 1]);
  });

  it('is empty for a panel shorter than the look-back or the horizon', () => {
    for (const horizonBars of [1, 4, 100]) {
      const none = buildDataset({
        panel: toyPanel([{ symbol: 'A', close: [1, 2] }]),
        featureSpec: shortSpec,
        labelSpec: { horizonBars, volatilityBars: null },
      });
      expect([none.rows, none.features.length]).to.deep.equal([0, 0]);
    }
  });

  it('refuses labels without a meaning', () => {
    const panel = toyPanel([{ symbol: 'A', close: [1, 2] }]);
    for (const [horizonBars, volatilityBars] of [
      [0, null],
      [1.5, null],
      [1, 0],
      [Number.NaN, 3],
    ] as const) {
      const labelSpec = { horizonBars, volatilityBars };
      expect(codeOf(() => buildDataset({ panel, featureSpec: shortSpec, labelSpec }))).to.equal(
        'out_of_range',
      );
    }
  });
});

describe('a dataset of a whole panel', () => {
  const options = { seed: 21, symbols: 3, times: 400, gapFrac: 0.01, zeroVolumeFrac: 0.01 };
  const panel = randomPanel(options);
  const featureSpec = barFeaturesV1({ symbolCount: 3, timeframeMs: toyTimeframeMs });
  const labelSpec = { horizonBars: 4, volatilityBars: 48 };
  const dataset = buildDataset({ panel, featureSpec, labelSpec });

  it('holds the rows of the stream, bit for bit, for exactly the bars that qualify', () => {
    const rows = history(panel, featureSpec);
    const width = featureSpec.entries.length;
    let row = 0;
    for (let t = 168; t < 400; t += 1) {
      for (let s = 0; s < 3; s += 1) {
        const at = s * 400 + t;
        const ends = [panel.open[at + 1]!, t + 5 < 400 ? panel.open[at + 5]! : Number.NaN];
        const closes = Array.from(panel.close.subarray(at - 48, at + 1));
        if (![panel.close[at]!, ...ends, ...closes].every(Number.isFinite)) continue;
        expect([dataset.timeIndex[row], dataset.symbolIndex[row]]).to.deep.equal([t, s]);
        expect(bitsOf(dataset.features.slice(row * width, (row + 1) * width))).to.deep.equal(
          bitsOf(rows[t]!.slice(s * width, (s + 1) * width)),
        );
        row += 1;
      }
    }
    expect(dataset.rows).to.equal(row);
    expect(row).greaterThan(200);
  });

  it('gives every return back: label times scale', () => {
    for (let row = 0; row < dataset.rows; row += 1) {
      const at = dataset.symbolIndex[row]! * 400 + dataset.timeIndex[row]!;
      const forward = panel.open[at + 5]! / panel.open[at + 1]! - 1;
      const back = dataset.labels[row]! * dataset.labelScale[row]!;
      expect(back).closeTo(forward, Math.abs(forward) * 2 ** -23);
    }
  });

  it('has clean rows where 169 clean bars stand in a row, and only there', () => {
    for (let row = 0; row < dataset.rows; row += 1) {
      const at = dataset.symbolIndex[row]! * 400 + dataset.timeIndex[row]!;
      const clean = panel.quality.subarray(at - 168, at + 1).every((bits) => bits === 0);
      expect(dataset.clean[row], `row ${row}`).to.equal(clean ? 1 : 0);
    }
  });

  it('is the same again, by its digest; any bar, label or feature set gives another one', () => {
    const digest = datasetDigest(dataset);
    expect(
      datasetDigest(buildDataset({ panel: copyPanel(panel), featureSpec, labelSpec })),
    ).to.equal(digest);
    const moved = copyPanel(panel);
    moved.close[200] = moved.close[200]! * 1.01;
    const others = [
      buildDataset({ panel: moved, featureSpec, labelSpec }),
      buildDataset({ panel: { ...panel, dataVersion: 'e'.repeat(64) }, featureSpec, labelSpec }),
      buildDataset({ panel, featureSpec, labelSpec: { ...labelSpec, horizonBars: 5 } }),
      buildDataset({ panel, featureSpec: { ...featureSpec, lookbackBars: 170 }, labelSpec }),
    ];
    expect(new Set([digest, ...others.map(datasetDigest)]).size).to.equal(5);
    for (const column of [
      'features',
      'labels',
      'labelScale',
      'symbolIndex',
      'timeIndex',
      'featureFromMs',
      't0',
      't1',
      'clean',
    ] as const) {
      const changed: Dataset = { ...dataset, [column]: dataset[column].slice() };
      changed[column][5] = 77;
      expect(datasetDigest(changed), column).to.not.equal(digest);
    }
  });

  it('tells its progress up to the end, and stops with `cancelled` when asked to', () => {
    const done: number[] = [];
    const abort = new AbortController();
    const progress = { update: (_: string, doneFrac: number) => done.push(doneFrac) };
    buildDataset({ panel, featureSpec, labelSpec, progress, signal: abort.signal });
    expect(done.at(0)).to.equal(0);
    expect(done.at(-1)).to.equal(1);
    abort.abort();
    expect(
      codeOf(() => buildDataset({ panel, featureSpec, labelSpec, signal: abort.signal })),
    ).to.equal('cancelled');
  });
});

describe('what labels know', () => {
  const featureSpec = barFeaturesBaseline({ symbolCount: 2, timeframeMs: toyTimeframeMs });

  /** Rows by symbol and time, with all that they hold. */
  function rowsOf(
    panel: BarPanel,
    volatilityBars: number | null,
  ): Map<string, { t1: number; text: string }> {
    const d = buildDataset({ panel, featureSpec, labelSpec: { horizonBars: 3, volatilityBars } });
    const width = featureSpec.entries.length;
    return new Map(
      Array.from({ length: d.rows }, (_, i) => [
        `${d.symbolIndex[i]} ${d.timeIndex[i]}`,
        {
          t1: d.t1[i]!,
          text: [
            d.labels[i],
            d.labelScale[i],
            d.clean[i],
            ...bitsOf(d.features.slice(i * width, (i + 1) * width)),
          ].join(' '),
        },
      ]),
    );
  }

  it('changing any bars from time u on changes no row whose label ended before u', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 175, max: 215 }), fc.boolean(), (seed, u, scaled) => {
        const panel = randomPanel({ seed, symbols: 2, times: 220, gapFrac: 0.01 });
        const changed = copyPanel(panel);
        const other = randomPanel({ seed: seed + 1, symbols: 2, times: 220, gapFrac: 0.2 });
        for (let s = 0; s < 2; s += 1) {
          for (let t = u; t < 220; t += 1) moveBar(other, changed, s, t);
        }
        const ended = (rows: Map<string, { t1: number; text: string }>) =>
          [...rows].filter(([, { t1 }]) => t1 < panel.openMs[u]!);
        const [before, after] = [panel, changed].map((p) => ended(rowsOf(p, scaled ? 24 : null)));
        expect(after).to.deep.equal(before);
      }),
      { numRuns: 40 },
    );
  });

  it('of the bar at t1 a label knows the open and nothing else', () => {
    const panel = randomPanel({ seed: 5, symbols: 1, times: 220 });
    const changed = copyPanel(panel);
    const u = 200;
    for (const column of [
      'high',
      'low',
      'close',
      'volume',
      'quoteVolume',
      'trades',
      'takerBuyVolume',
    ] as const) {
      changed[column][u] = changed[column][u]! * 1.5;
    }
    const before = rowsOf(panel, 24);
    const after = rowsOf(changed, 24);
    expect(after.get('0 196')).to.deep.equal(before.get('0 196')); // t1 = open of bar 200
    expect(before.get('0 196')!.t1).to.equal(panel.openMs[u]);
    expect(after.get('0 200')).to.not.deep.equal(before.get('0 200'));
    changed.open[u] = changed.open[u]! * 1.5;
    expect(rowsOf(changed, 24).get('0 196')).to.not.deep.equal(before.get('0 196'));
  });

  it('a missing open at either end takes the row out, one in between does not', () => {
    const panel = randomPanel({ seed: 5, symbols: 1, times: 220 });
    dropBar(panel, 0, 200);
    const kept = (t: number) => rowsOf(panel, null).has(`0 ${t}`);
    expect([195, 196, 197, 198, 199, 200, 201].map(kept)).to.deep.equal([
      true,
      false,
      true,
      true,
      false,
      false,
      true,
    ]);
  });
});
