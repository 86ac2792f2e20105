import { expect } from 'chai';
import {
  buildDataset,
  type Dataset,
  rowLineage,
  rowsBetween,
} from '../../../data/dataset/index.ts';
import { barFeaturesV1 } from '../../../data/feature/index.ts';
import { type BarPanel, barQuality } from '../../../data/market/index.ts';
import { dropBar, randomPanel, toyStartMs, toyTimeframeMs } from '../feature/toyPanel.ts';

const featureSpec = barFeaturesV1({ symbolCount: 2, timeframeMs: toyTimeframeMs });
const labelSpec = { horizonBars: 3, volatilityBars: null };
const openAt = (t: number) => toyStartMs + t * toyTimeframeMs;

function rowAt(dataset: Dataset, symbol: number, t: number): number {
  for (let row = 0; row < dataset.rows; row += 1) {
    if (dataset.symbolIndex[row] === symbol && dataset.timeIndex[row] === t) return row;
  }
  throw new Error(`no row of symbol ${symbol} at ${t}`);
}

/** Two symbols; the bars of the second from time 300 on come from another file. */
function twoFiles(): BarPanel {
  const panel = randomPanel({ seed: 31, symbols: 2, times: 400 });
  panel.sourceIndex.fill(1, 400 + 300, 800);
  const later = { file: 'later.csv.gz', sha256: 'b'.repeat(64), venue: 'binance_spot' };
  return { ...panel, sources: [...panel.sources, later] };
}

describe('the lineage of a row', () => {
  it('names versions, source, times and mapping in the words of the specification', () => {
    const dataset = buildDataset({ panel: twoFiles(), featureSpec, labelSpec });
    expect(rowLineage(dataset, rowAt(dataset, 1, 320))).to.deep.equal({
      data_version: 'd'.repeat(64),
      feature_version: dataset.featureVersion,
      source_file: 'later.csv.gz',
      source_sha256: 'b'.repeat(64),
      venue: 'binance_spot',
      input_sha256s: ['a'.repeat(64), 'b'.repeat(64)],
      mapping: 'on_grid_exact',
      symbol: 'S1',
      bar_open_ms: openAt(320),
      feature_from_ms: openAt(152),
      t0: openAt(321),
      t1: openAt(324),
      quality_score: 1,
      synthetic: false,
    });
  });

  it('names the other files that the row may have read: of the look-back, the label, and the other symbols', () => {
    const dataset = buildDataset({ panel: twoFiles(), featureSpec, labelSpec });
    const inputs = (symbol: number, t: number) =>
      rowLineage(dataset, rowAt(dataset, symbol, t)).input_sha256s.map((sha256) => sha256[0]);
    expect(inputs(1, 295)).to.deep.equal(['a']);
    expect(inputs(1, 296)).to.deep.equal(['a', 'b']); // its label ends in bar 300
    expect(inputs(0, 300)).to.deep.equal(['a', 'b']);
  });

  it('scores a look-back by its bars: missing 0, without volume one half, else 1', () => {
    const panel = randomPanel({ seed: 31, symbols: 2, times: 400 });
    dropBar(panel, 0, 200);
    panel.quality[210] = barQuality.zeroVolume;
    panel.quality[211] = barQuality.microsecondStamp;
    const dataset = buildDataset({ panel, featureSpec, labelSpec });
    const score = (t: number) => rowLineage(dataset, rowAt(dataset, 0, t)).quality_score;
    expect(score(195)).to.equal(1);
    expect(score(205)).to.equal(168 / 169);
    expect(score(220)).to.equal(167.5 / 169);
    expect(score(389)).to.equal(1);
  });

  it('marks simulated rows as synthetic', () => {
    const panel = randomPanel({ seed: 31, symbols: 2, times: 200 });
    const sources = [{ file: 'simulator', sha256: 'c'.repeat(64), venue: 'simulator' }];
    const dataset = buildDataset({ panel: { ...panel, sources }, featureSpec, labelSpec });
    expect(rowLineage(dataset, 0).synthetic).to.equal(true);
  });

  it('refuses a row that is not there', () => {
    const panel = randomPanel({ seed: 31, symbols: 2, times: 200 });
    const dataset = buildDataset({ panel, featureSpec, labelSpec });
    for (const row of [-1, dataset.rows, 0.5, Number.NaN]) {
      expect(() => rowLineage(dataset, row)).to.throw(/Expected a row from 0 to/);
    }
  });
});

describe('rows between two times', () => {
  const panel = randomPanel({ seed: 32, symbols: 2, times: 260, gapFrac: 0.02 });
  const dataset = buildDataset({ panel, featureSpec, labelSpec });

  it('are those whose label lies wholly inside, ends included', () => {
    const [from, to] = [openAt(190), openAt(230)];
    const rows = rowsBetween(dataset, from, to);
    const wanted = Array.from({ length: dataset.rows }, (_, row) => row).filter((row) => {
      const t = dataset.timeIndex[row]!;
      return t + 1 >= 190 && t + 4 <= 230;
    });
    expect(Array.from(rows)).to.deep.equal(wanted);
    expect(wanted.length).greaterThan(40);
  });

  it('are all of them for all time, none for a moment', () => {
    expect(rowsBetween(dataset, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)).to.have.length(
      dataset.rows,
    );
    expect(rowsBetween(dataset, openAt(200), openAt(200))).to.have.length(0);
  });

  it('have no meaning for a span that ends before it begins', () => {
    expect(() => rowsBetween(dataset, 2, 1)).to.throw(/begins before it ends/);
    expect(() => rowsBetween(dataset, Number.NaN, 1)).to.throw(/begins before it ends/);
  });
});
