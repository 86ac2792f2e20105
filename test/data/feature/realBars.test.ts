import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createRandom, silent } from '../../../core/index.ts';
import { buildDataset, datasetDigest, rowLineage } from '../../../data/dataset/index.ts';
import {
  barFeaturesV1,
  computeLastRows,
  createFeatureStream,
  type FeatureStream,
} from '../../../data/feature/index.ts';
import {
  type BarPanel,
  importBars,
  loadPanel,
  simulateMarket,
} from '../../../data/market/index.ts';
import { hasSharedData, needsSharedData, sharedData } from '../../sharedData.ts';
import { bitsOf } from './rowHistory.ts';
import { slicePanel } from './toyPanel.ts';

const files = [
  { file: 'ohlcv_1h_spot_btc_eth_2018_2024_trades.csv.gz', timeframe: '1h' },
  { file: 'ohlcv_1h_spot_20sym_2024_mit.csv.gz', timeframe: '1h' },
  { file: 'ohlcv_5m_spot_btc_eth_sol_2024_mit.csv.gz', timeframe: '5m' },
  { file: 'ohlcv_1h_spot_doge_shib_2019_2023_mit.csv.gz', timeframe: '1h' },
  { file: 'ohlcv_1m_btc_perp_2022_01.csv.gz', timeframe: '1m' },
];
const coldStarts = 12;
const timesCompared = 30;

/** Runs through a panel once; cold streams join on the way and must give the same bits once the look-back has passed. */
function compareColdStreams(panel: BarPanel): number {
  const spec = barFeaturesV1({ symbolCount: panel.symbols.length, timeframeMs: panel.timeframeMs });
  const create = () => createFeatureStream(spec, panel.symbols.length, panel.timeframeMs);
  const random = createRandom(17);
  const room = panel.openMs.length - spec.lookbackBars - timesCompared;
  const starts = new Set(Array.from({ length: coldStarts }, () => 1 + random.integer(room)));
  const cold = new Map<number, FeatureStream>();
  const whole = create();
  let compared = 0;
  for (let t = 0; t < panel.openMs.length; t += 1) {
    whole.push(panel, t);
    if (starts.has(t)) cold.set(t, create());
    for (const [start, stream] of cold) {
      stream.push(panel, t);
      const age = t - start + 1;
      if (age < spec.lookbackBars) continue;
      expect(bitsOf(stream.rows), `started at ${start}, time ${t}`).to.deep.equal(
        bitsOf(whole.rows),
      );
      compared += 1;
      if (age === spec.lookbackBars) {
        const last = computeLastRows(spec, slicePanel(panel, start, t + 1));
        expect(bitsOf(last), `last rows at ${t}`).to.deep.equal(bitsOf(whole.rows));
      }
      if (age === spec.lookbackBars + timesCompared - 1) cold.delete(start);
    }
  }
  return compared / starts.size;
}

describe('features of real bars', () => {
  const panels = new Map<string, BarPanel>();
  let folder = '';
  before(async () => {
    if (!hasSharedData) return;
    folder = mkdtempSync(join(tmpdir(), 'sluice-features-'));
    for (const { file, timeframe } of files) {
      const inputs = [sharedData('market', file)];
      const { signal } = new AbortController();
      const stored = await importBars(
        { inputs, timeframe, out: folder, venue: 'binance_spot' },
        silent,
        signal,
      );
      panels.set(file, await loadPanel({ storePath: stored.path }));
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { file } of files) {
    it(`${file}: a stream started cold anywhere gives the bits of the whole history`, function () {
      needsSharedData(this);
      expect(compareColdStreams(panels.get(file)!)).to.equal(timesCompared);
    });
  }

  it('become the same dataset twice, with lineage to the file and no value that is infinite', function () {
    needsSharedData(this);
    const panel = panels.get(files[0]!.file)!;
    const featureSpec = barFeaturesV1({ symbolCount: 2, timeframeMs: panel.timeframeMs });
    const build = () =>
      buildDataset({ panel, featureSpec, labelSpec: { horizonBars: 12, volatilityBars: 168 } });
    const dataset = build();
    expect(datasetDigest(build())).to.equal(datasetDigest(dataset));
    expect(dataset.rows).greaterThan(100_000);
    expect(dataset.features.some((value) => Math.abs(value) === Number.POSITIVE_INFINITY)).to.equal(
      false,
    );
    expect(dataset.labels.every(Number.isFinite)).to.equal(true);
    const lineage = rowLineage(dataset, dataset.rows - 1);
    expect(lineage.source_file).to.equal(files[0]!.file);
    expect(lineage.venue).to.equal('binance_spot');
    expect(lineage.synthetic).to.equal(false);
  });
});

describe('features of simulated bars', () => {
  const simulated = simulateMarket({
    seed: 5,
    symbols: 4,
    days: 60,
    timeframe: '1h',
    alpha: 1,
  }).panel;

  it('a stream started cold anywhere gives the bits of the whole history', () => {
    expect(compareColdStreams(simulated)).to.equal(timesCompared);
  });

  it('are marked as synthetic in every lineage', () => {
    const featureSpec = barFeaturesV1({ symbolCount: 4, timeframeMs: simulated.timeframeMs });
    const labelSpec = { horizonBars: 12, volatilityBars: null };
    const dataset = buildDataset({ panel: simulated, featureSpec, labelSpec });
    expect(rowLineage(dataset, 0).synthetic).to.equal(true);
  });
});
