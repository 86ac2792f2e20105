// The two planted returns: the tabular one has the bytes that it always had, and the one in sequences is where it is said
// to be: in the order of the flow of 48 bars, and in nothing that a row of features holds.

import { expect } from 'chai';
import { silent } from '../../../core/index.ts';
import { buildDataset, createSequenceView, gatherWindow } from '../../../data/dataset/index.ts';
import { barFeaturesV1 } from '../../../data/feature/index.ts';
import {
  type BarPanel,
  plantedStructures,
  type SimulatedMarket,
  simulateMarket,
} from '../../../data/market/index.ts';
import { fitRidge } from '../../../training/baseline/index.ts';
import { fitGbdt, gbdtParamsSchema } from '../../../training/gbdt/index.ts';
import { findLightgbm } from '../../../training/native/index.ts';
import { barReturns, judge, studentised, zLimit } from './predictors.ts';

const market = { seed: 1, symbols: 1, days: 1000, timeframe: '1h', alpha: 1 };
const { signal } = new AbortController();

describe('the tabular planted return', () => {
  it('is the default, named or not, and has the bytes that it had before there was another', () => {
    const options = { seed: 7, symbols: 4, days: 400, timeframe: '1h', alpha: 1 };
    const { panel } = simulateMarket(options);
    expect(panel.dataVersion).to.equal(
      'fa924f474d84ba39cbce55631eb0e664f3e72ab5f252dbcdb0ca0378287aa54c',
    );
    expect(simulateMarket({ ...options, structure: 'tabular' }).panel).to.deep.equal(panel);
    expect(plantedStructures).to.deep.equal(['tabular', 'sequence']);
  });
});

describe('the planted return in sequences', () => {
  const sequences = (seeds: number, changes: Partial<typeof market> = {}) =>
    Array.from({ length: seeds }, (_, k) =>
      simulateMarket({ ...market, ...changes, seed: 300 + k, structure: 'sequence' }),
    );

  it('is another market with another data_version, of the same prices where nothing is planted', () => {
    const options = { ...market, days: 60, alpha: 0 };
    const { panel, expected } = simulateMarket({ ...options, structure: 'sequence' });
    const tabular = simulateMarket(options).panel;
    expect(panel.close).to.deep.equal(tabular.close);
    expect(panel.takerBuyVolume).to.not.deep.equal(tabular.takerBuyVolume);
    expect(panel.dataVersion).to.not.equal(tabular.dataVersion);
    expect(expected.every((e) => e === 0 || Number.isNaN(e))).to.equal(true);
  });

  it('at alpha 0 is not there', () => {
    const panels = sequences(12, { alpha: 0 }).map(({ panel }) => panel);
    const z = studentised(panels, plantedFlow);

    expect(Math.abs(z), `z = ${z}`).to.be.lessThan(zLimit);
  });

  describe('at alpha 1', () => {
    let markets: SimulatedMarket[];
    let panels: BarPanel[];
    before(() => {
      markets = sequences(12);
      panels = markets.map(({ panel }) => panel);
    });

    it('has an expected return that is right on average and correlates 0.2 to 0.25 with what comes', () => {
      const { ic, slope, slopeError } = judge(markets);

      expect(ic).to.be.within(0.2, 0.25);
      expect(Math.abs(slope - 1) / slopeError, `slope ${slope} +- ${slopeError}`).to.be.lessThan(
        zLimit,
      );
    });

    it('is in the flow of one bar 36 and 48 bars ago, not in sums of flow, and not in past returns', () => {
      expect(studentised(panels, plantedFlow)).to.be.greaterThan(10 * zLimit);
      const unseen: Record<string, (panel: BarPanel) => Float64Array> = {
        newestFlow: flowOf,
        flowOf24: (panel) => summed(flowOf(panel), 24),
        flowOf168: (panel) => summed(flowOf(panel), 168),
        ...Object.fromEntries([1, 4, 12, 24, 48, 168].map((n) => [`returnOf${n}`, pastReturn(n)])),
        // where a rise that is taken back 12 bars later would show
        returnOneHorizonAgo: (panel) => lagged(barReturns(panel), 11),
      };
      for (const [name, predictor] of Object.entries(unseen)) {
        const z = studentised(panels, predictor);

        expect(Math.abs(z), `${name}: z = ${z}`).to.be.lessThan(zLimit);
      }
    });
  });

  describe('fitted on one market and tested on another', function () {
    this.timeout(30_000);
    let train: Sampled;
    let test: Sampled;
    before(() => {
      [train, test] = [samplesOf(sampled(11)), samplesOf(sampled(12))];
    });

    it('is found by a linear map of 48 tokens of flow, and by none of the newest 24', () => {
      const of = (tokens: number) =>
        zOf(test, linear(windowsOf(train, tokens), windowsOf(test, tokens)));

      expect(of(48)).to.be.greaterThan(2 * zLimit);
      expect(Math.abs(of(24))).to.be.lessThan(zLimit);
    });

    it('is found by neither a linear map nor trees of the rows of bar_features_v1', async () => {
      const ridge = zOf(test, linear(rowsOf(train), rowsOf(test)));
      expect(Math.abs(ridge), `ridge: z = ${ridge}`).to.be.lessThan(zLimit);
      const trees = zOf(test, await grown(rowsOf(train), rowsOf(test)));

      expect(Math.abs(trees), `trees: z = ${trees}`).to.be.lessThan(zLimit);
    });
  });
});

const flowOf = (panel: BarPanel): Float64Array =>
  panel.takerBuyVolume.map((buys, at) =>
    panel.volume[at]! > 0 ? (2 * buys) / panel.volume[at]! - 1 : 0,
  );

/** What stood `bars` bars ago; NaN before the first. One symbol. */
const lagged = (values: Float64Array, bars: number): Float64Array =>
  values.map((_, at) => values[at - bars] ?? Number.NaN);

const summed = (values: Float64Array, bars: number): Float64Array =>
  values.map((_, at) =>
    at < bars ? Number.NaN : values.subarray(at - bars + 1, at + 1).reduce((sum, x) => sum + x, 0),
  );

const pastReturn =
  (bars: number) =>
  ({ close }: BarPanel): Float64Array =>
    close.map((now, at) => Math.log(now / (close[at - bars] ?? Number.NaN)));

/** Lags as a decision at the close of bar t sees them: bar t + 1 rises by u[t-35] and falls by u[t-47]. */
function plantedFlow(panel: BarPanel): Float64Array {
  const flow = flowOf(panel);
  const fall = lagged(flow, 47);
  return lagged(flow, 35).map((rise, at) => rise - fall[at]!);
}

const sampled = (seed: number) => {
  const { panel } = simulateMarket({
    ...market,
    seed,
    symbols: 6,
    days: 400,
    structure: 'sequence',
  });
  return buildDataset({
    panel,
    featureSpec: barFeaturesV1({ symbolCount: 6, timeframeMs: panel.timeframeMs }),
    labelSpec: { horizonBars: 12, volatilityBars: 168 },
    signal,
  });
};

/** Rows whose window of 48 tokens is whole. */
function samplesOf(dataset: ReturnType<typeof buildDataset>) {
  const view = createSequenceView(dataset, ['taker_imbalance_1'], 48);
  const rows = Int32Array.from({ length: dataset.rows }, (_, row) => row).filter(
    (row) => view.windowsValid[row] === 1,
  );
  return { dataset, view, rows, labels: Float32Array.from(rows, (row) => dataset.labels[row]!) };
}
type Sampled = ReturnType<typeof samplesOf>;

interface Matrix {
  readonly features: Float32Array;
  readonly featureCount: number;
  readonly rows: number;
  readonly labels: Float32Array;
}

function rowsOf({ dataset, rows, labels }: Sampled): Matrix {
  const width = dataset.featureSpec.entries.length;
  const features = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    features.set(dataset.features.subarray(row * width, (row + 1) * width), i * width);
  });
  return { features, featureCount: width, rows: rows.length, labels };
}

/** The newest `tokens` tokens of flow of each row. */
function windowsOf({ view, rows, labels }: Sampled, tokens: number): Matrix {
  const features = new Float32Array(rows.length * tokens);
  const window = new Float32Array(view.nTokens);
  rows.forEach((row, i) => {
    gatherWindow(view, row, window);
    features.set(window.subarray(view.nTokens - tokens), i * tokens);
  });
  return { features, featureCount: tokens, rows: rows.length, labels };
}

function linear(train: Matrix, test: Matrix): Float64Array {
  const all = Int32Array.from({ length: train.rows }, (_, i) => i);
  const ridge = fitRidge({ ...train, rows: all, folds: [], lambdas: [0.01] });
  return ridge.score(test.features, test.rows);
}

async function grown(train: Matrix, test: Matrix): Promise<Float64Array> {
  const params = gbdtParamsSchema.parse({
    rounds: 60,
    learning_rate: 0.05,
    leaves: 8,
    min_data_in_leaf: 500,
    lambda_l2: 10,
    max_bin: 127,
    seed: 7,
    threads: 1,
  });
  const model = await fitGbdt(findLightgbm(), { ...train, params, progress: silent, signal });
  try {
    return model.predict(test.features, test.rows);
  } finally {
    model.close();
  }
}

/** Studentised sum of score times label on labels that do not overlap; symbols of one time are one term. */
function zOf({ dataset, rows, labels }: Sampled, scores: Float64Array): number {
  const terms = new Map<number, number>();
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  rows.forEach((row, i) => {
    const t = dataset.timeIndex[row]!;
    if (t % 12 === 0) terms.set(t, (terms.get(t) ?? 0) + (scores[i]! - mean) * labels[i]!);
  });
  const values = [...terms.values()];
  return (
    values.reduce((sum, x) => sum + x, 0) / Math.sqrt(values.reduce((sum, x) => sum + x * x, 0))
  );
}
