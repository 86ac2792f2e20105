// The neural stage on a small market: what its choices may look at, and what the chosen network is.

import { expect } from 'chai';
import { silent } from '../../../core/index.ts';
import { type BarPanel, simulateMarket } from '../../../data/market/index.ts';
import { scoreSequences } from '../../../models/backtest/index.ts';
import { sequenceScorer } from '../../../models/score/index.ts';
import { chooseAlpha } from '../../../training/retrain/ensemble.ts';
import { splitForStopping } from '../../../training/retrain/fit.ts';
import { trainNetworks } from '../../../training/retrain/network.ts';
import {
  compareDistillation,
  type NeuralStage,
  runNeuralStage,
} from '../../../training/retrain/neuralStage.ts';
import { prepareSamples, type Samples } from '../../../training/retrain/samples.ts';
import { findEngine } from '../../../training/tsmixer/index.ts';
import { changedFrom } from './changedPanel.ts';
import { neuralConfig } from './smallConfig.ts';

const never = new AbortController().signal;

describe('retrain: the neural stage', function () {
  this.timeout(60_000);
  const config = neuralConfig();
  let panel: BarPanel;
  let samples: Samples;
  let asked: Int32Array[];
  let stage: NeuralStage;

  /** A teacher that costs nothing and knows no label. */
  const teacherOf = (at: Samples) => async (rows: Int32Array) => {
    asked.push(rows);
    const inside = new Set(rows);
    return Float64Array.from({ length: at.dataset.rows }, (_, row) =>
      inside.has(row) ? Math.sin(row) / 10 : Number.NaN,
    );
  };
  const run = (at: Samples, changes: Partial<typeof config.tsmixer> = {}): Promise<NeuralStage> =>
    runNeuralStage({
      engine: findEngine('native'),
      config: { ...config.tsmixer, ...changes },
      samples: at,
      folds: config.folds,
      teacherFor: teacherOf(at),
      progress: silent,
      signal: never,
    });

  before(async () => {
    asked = [];
    const { simulator } = config.data;
    panel = simulateMarket({ ...simulator, days: 90, timeframe: '1h' }).panel;
    samples = prepareSamples(config, panel, never);
    stage = await run(samples);
  });

  it('chooses of the lambdas the one with the least validation loss, averaged over the seeds', () => {
    const { lambda_candidates, lambda, epochs } = stage.report;
    expect(lambda_candidates.map((one) => one.lambda)).to.deep.equal([0, 1]);
    for (const { validation_loss, seeds } of lambda_candidates) {
      expect(seeds.map(({ seed }) => seed)).to.deep.equal([7, 8]);
      const mean = (seeds[0]!.validation_loss + seeds[1]!.validation_loss) / 2;
      expect(validation_loss).to.equal(mean);
      expect(seeds.every(({ curve }) => curve.every(({ stop }) => stop! > 0))).to.equal(true);
    }
    const [a, b] = lambda_candidates;
    const best = a!.validation_loss <= b!.validation_loss ? a! : b!;
    expect({ lambda, epochs }).to.deep.equal({ lambda: best.lambda, epochs: best.epochs });
  });

  it('asks for teachers of the rows that train, and of no other', async () => {
    const { fit } = splitForStopping({ samples, folds: config.folds }, samples.spans.search.rows);
    asked = [];
    await run(samples, { teacher_lambdas: [1] });
    expect(asked.map((rows) => [...rows])).to.deep.equal([
      [...fit],
      [...samples.spans.search.rows],
    ]);
    asked = [];
    await run(samples, { teacher_lambdas: [0] });
    expect(asked).to.deep.equal([]);
  });

  it('makes the network from the first seed on the search span, whatever the other seeds reached', async () => {
    const { context, network, lambda, epochs } = stage;
    const search = samples.spans.search.rows;
    const [again] = await trainNetworks(context, {
      train: search,
      stop: new Int32Array(0),
      teacher: lambda === 0 ? null : await teacherOf(samples)(search),
      members: [{ seed: 7, teacherLambda: lambda }],
      epochs,
    });
    expect(again!.network).to.deep.equal(network);
  });

  it('learns nothing from rows that do not train, and normalises by none of them', async () => {
    const search = samples.spans.search.rows;
    const train = search.subarray(0, 800);
    const request = {
      train,
      stop: new Int32Array(0),
      teacher: null,
      members: [{ seed: 7, teacherLambda: 0 }],
      epochs: 1,
    };
    const trainOn = (at: Samples) =>
      run(at, { teacher_lambdas: [0], epochs: 1, seeds: 1 }).then(({ context }) =>
        trainNetworks(context, request),
      );
    const end = Math.max(...Array.from(train, (row) => samples.dataset.t1[row]!));
    const changed = prepareSamples(config, changedFrom(panel, end + panel.timeframeMs), never);
    expect(await trainOn(changed)).to.deep.equal(await trainOn(samples));
    const earlier = prepareSamples(config, changedFrom(panel, end - 48 * panel.timeframeMs), never);
    expect(await trainOn(earlier)).to.not.deep.equal(await trainOn(samples));
  });

  it('looks at validation and never at forward OOS: lambda, alpha, epochs and the network stay', async () => {
    const { from } = samples.spans.forward_oos;
    const other = prepareSamples(config, changedFrom(panel, from), never);
    expect(other.spans.validation).to.deep.equal(samples.spans.validation);
    const again = await run(other);
    expect(again.report).to.deep.equal(stage.report);
    expect(again.network).to.deep.equal(stage.network);
    const alphaOf = (at: Samples, { network }: NeuralStage) => {
      const { dataset, spans } = at;
      const names = network.channels.map(({ name }) => name);
      const scorer = sequenceScorer(network);
      const nn = scoreSequences(dataset.featureSpec, names, scorer, dataset.panel, null, never);
      const tabular = nn.map((score, i) => score * Math.cos(i));
      const parts = { tabular, nn };
      return chooseAlpha(dataset, spans.validation, parts, [0.2, 0.5, 0.8], config.trade);
    };
    expect(alphaOf(other, again)).to.deep.equal(alphaOf(samples, stage));

    const validation = prepareSamples(config, changedFrom(panel, from - 20 * 864e5), never);
    const moved = await run(validation);
    expect(moved.report).to.not.deep.equal(stage.report);
  });

  it('compares with and without a teacher seed by seed, where both were tried', () => {
    const candidate = (lambda: number, losses: readonly number[]) => ({
      lambda,
      validation_loss: losses.reduce((sum, x) => sum + x, 0) / losses.length,
      rank_ic: 0,
      epochs: 1,
      seeds: losses.map((validation_loss, i) => ({
        seed: i,
        validation_loss,
        rank_ic: validation_loss / 2,
        best_epoch: 1,
        curve: [],
      })),
    });
    const none = candidate(0, [1, 2]);
    const far = candidate(2, [5, 5]);
    const near = candidate(0.5, [1.25, 1.75]);
    expect(compareDistillation([none, far, near])).to.deep.equal({
      lambda: 0.5,
      seeds: 2,
      validation_loss: { mean: 0, least: -0.25, largest: 0.25 },
      rank_ic: { mean: 0, least: -0.125, largest: 0.125 },
    });
    expect(compareDistillation([none])).to.equal(null);
    expect(compareDistillation([far, near])).to.equal(null);
  });
});
