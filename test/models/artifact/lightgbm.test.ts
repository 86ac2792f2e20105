import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createRandom, hourMs, type Random, silent } from '../../../core/index.ts';
import { buildDataset, type Dataset } from '../../../data/dataset/index.ts';
import { barFeaturesV1 } from '../../../data/feature/index.ts';
import { importBars, loadPanel } from '../../../data/market/index.ts';
import { decodeTreesOnnx, encodeTreesOnnx } from '../../../models/artifact/index.ts';
import { missingType, treeScorer } from '../../../models/score/index.ts';
import {
  fitGbdt,
  type GbdtData,
  type GbdtModel,
  type GbdtParamsInput,
} from '../../../training/gbdt/index.ts';
import { findLightgbm } from '../../../training/native/index.ts';
import { needsSharedData, sharedData } from '../../sharedData.ts';
import { differing, ortScores } from './ortScores.ts';
import { randomRows } from './samples.ts';

const featureCount = 7;
const categorical = [4, 5];

/** Columns: no missing value, NaN, many zeros, tiny numbers, 12 categories, 300 categories, NaN that matters. */
function trainingData(random: Random, rows: number): GbdtData {
  const features = new Float32Array(rows * featureCount);
  const labels = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const x = features.subarray(row * featureCount, (row + 1) * featureCount);
    x[0] = random.normal();
    x[1] = random.uniform() < 0.2 ? Number.NaN : random.normal();
    x[2] = random.uniform() < 0.5 ? 0 : random.normal();
    x[3] = (random.uniform() < 0.5 ? 1e-35 : 1) * random.normal();
    x[4] = random.integer(12);
    x[5] = random.uniform() < 0.1 ? Number.NaN : random.integer(300);
    x[6] = random.uniform() < 0.3 ? Number.NaN : random.normal();
    const signal =
      (Number.isNaN(x[1]) ? 1 : x[1]!) +
      (Number.isNaN(x[6]) ? 4 : 0) +
      x[2]! * x[0]! +
      x[3]! +
      (x[4]! % 3);
    labels[row] = signal + ((x[5]! * 7) % 11) / 4 + 0.3 * random.normal() || 0;
  }
  return { features, rows, labels, featureCount, categorical };
}

const train = (data: GbdtData, params: GbdtParamsInput): Promise<GbdtModel> =>
  fitGbdt(findLightgbm(), { ...data, params: { threads: 1, ...params } });

/** Rows whose score differs from LightGBM's own, for several ways of calling ONNX Runtime and for the reference. */
async function differences(
  model: GbdtModel,
  features: Float32Array,
  rows: number,
): Promise<number[]> {
  const expected = model.predict(features, rows);
  const bytes = encodeTreesOnnx(model.trees);
  const found = [
    await ortScores(bytes, features, rows),
    await ortScores(bytes, features, rows, { threads: 2 }),
    await ortScores(bytes, features, rows, { batch: 97 }),
    await ortScores(bytes, features, rows, { threads: 2, batch: 512 }),
    treeScorer(decodeTreesOnnx(bytes)).score(features, rows),
  ];
  return found.map((scores) => differing(scores, expected));
}

describe('LightGBM models as ONNX', function () {
  this.timeout(120_000);
  const random = createRandom(23);
  const sample = trainingData(random, 12_000);
  const rows = 50_000;
  const odd = randomRows(random, rows, featureCount);

  for (const zeroAsMissing of [false, true]) {
    it(`answer with LightGBM’s own bits on odd and missing values, zero_as_missing ${zeroAsMissing}`, async () => {
      const model = await train(sample, { rounds: 30, leaves: 31, zero_as_missing: zeroAsMissing });
      const missing = new Set(model.trees.trees.flatMap((tree) => [...tree.missing]));
      const wanted = zeroAsMissing ? [missingType.zero] : [missingType.none, missingType.nan];
      for (const type of wanted) expect(missing.has(type), `missing type ${type}`).to.equal(true);
      expect(
        model.trees.trees.some((tree) => tree.categories.some((set) => set !== null)),
      ).to.equal(true);
      const infinite = model.trees.trees.some((tree) => tree.threshold.includes(Infinity));
      expect(infinite, 'a split at inf').to.equal(!zeroAsMissing);
      expect(await differences(model, odd, rows)).to.deep.equal([0, 0, 0, 0, 0]);
      model.close();
    });
  }

  it('answer with LightGBM’s own bits when every tree is a single leaf', async () => {
    const model = await train(sample, { rounds: 3, min_data_in_leaf: 12_000 });
    expect(model.trees.trees.every((tree) => tree.leafValue.length === 1)).to.equal(true);
    expect(await differences(model, odd.subarray(0, 1000 * featureCount), 1000)).to.deep.equal([
      0, 0, 0, 0, 0,
    ]);
    model.close();
  });

  it('answer with LightGBM’s own bits on more than 100,000 rows of real bars with values missing', async function () {
    needsSharedData(this);
    const { features, labels, rows: all, featureSpec } = await realDataset();
    for (let at = 0; at < features.length; at += 37) features[at] = Number.NaN;
    expect(all).greaterThan(100_000);
    const data = { features, labels, rows: all, featureCount: featureSpec.entries.length };
    const model = await train(data, { rounds: 20, leaves: 31, max_bin: 127 });
    expect(await differences(model, features, all)).to.deep.equal([0, 0, 0, 0, 0]);
    model.close();
  });
});

async function realDataset(): Promise<Dataset> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-onnx-'));
  try {
    const inputs = [sharedData('market', 'ohlcv_1h_spot_btc_eth_2018_2024_trades.csv.gz')];
    const options = { inputs, timeframe: '1h', out: folder, venue: 'binance_spot' };
    const stored = await importBars(options, silent, new AbortController().signal);
    const panel = await loadPanel({ storePath: stored.path });
    const featureSpec = barFeaturesV1({ symbolCount: 2, timeframeMs: hourMs });
    return buildDataset({
      panel,
      featureSpec,
      labelSpec: { horizonBars: 12, volatilityBars: 168 },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
