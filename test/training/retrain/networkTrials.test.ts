// Networks on trial: the last stage is the main job itself, and what is found of one does not depend on the others.

import { expect } from 'chai';
import { silent } from '../../../core/index.ts';
import { simulateMarket } from '../../../data/market/index.ts';
import type { Scorer } from '../../../models/score/index.ts';
import { findLightgbm } from '../../../training/native/index.ts';
import { runExperiment } from '../../../training/retrain/experiment.ts';
import {
  confirmNetwork,
  type NetworkConfig,
  networkWindow,
  walkForwardNetworks,
} from '../../../training/retrain/index.ts';
import { prepareSamples, type Samples } from '../../../training/retrain/samples.ts';
import { findEngine } from '../../../training/tsmixer/index.ts';
import { changedFrom } from './changedPanel.ts';
import { neuralConfig } from './smallConfig.ts';

const never = new AbortController().signal;

describe('retrain: networks on trial', function () {
  this.timeout(60_000);
  const engine = findEngine('native');
  const library = findLightgbm();
  const base = withNetwork(neuralConfig(), { teacher_lambdas: [1] });
  const { simulator } = base.data;
  const { panel } = simulateMarket({ ...simulator, days: 90, timeframe: '1h' });
  const samplesOf = (bars: typeof panel): Samples => prepareSamples(base, bars, never);
  const samples = samplesOf(panel);

  /** What trials of one batch come to, fold by fold; a failure as its message. */
  const walk = async (
    trials: readonly NetworkConfig[],
    isWanted?: (trial: number, folds: number) => boolean,
    at = samples,
    by = engine,
  ) => {
    const fits = { library, engine: by, signal: never };
    const rows = at.spans.search.rows;
    const window = networkWindow({ ...fits, config: base }, { ...at, rows }, 2);
    const folds = [];
    for await (const found of walkForwardNetworks(fits, window, trials, (trial) =>
      isWanted === undefined ? true : isWanted(trial, folds.length),
    ))
      folds.push(found.map((one) => one && (one.kind === 'run' ? one.run : one.error.message)));
    return folds;
  };
  /** Several that can be members of one training, and two that cannot. */
  const various = [
    withNetwork(base, {}),
    withNetwork(base, { teacher_lambdas: [0], learning_rate: 0.001 }),
    withNetwork(base, { dropout: 0.1, weight_decay: 0, clip_norm: 0 }),
    withNetwork(base, { hidden: 6 }),
    { ...withNetwork(base, { n_tokens: 12 }), trade: eager(base) },
  ];

  it('are confirmed on the numbers of the main job', async () => {
    const featureCount = samples.baselineDataset.featureSpec.entries.length;
    const flat: Scorer = { featureCount, score: (_, rows) => new Float64Array(rows) };
    const experiment = await runExperiment({
      ...{ config: base, samples, library, engine, signal: never, trialCount: 1 },
      frozenBaseline: flat,
      stage: () => silent,
    });
    experiment.model.close();
    const nn = experiment.runs.get('nn_only')!;
    const found = await confirmNetwork({ library, engine, signal: never }, base, samples);
    expect(found.fitted).to.deep.equal({ epochs: experiment.neural!.epochs });
    expect(found.validation.metrics).to.deep.equal(nn.validation.metrics);
    expect(found.forwardOos.metrics).to.deep.equal(nn.forward_oos.metrics);
    expect(found.forwardOos.metrics.fills).to.be.above(0);
    expect(found.dataRegime).to.equal('mixed');
  });

  it('come to the same alone and beside others, bit for bit, and each to something else', async () => {
    const together = await walk(various);
    expect(together).to.have.length(2);
    for (const [k, trial] of various.entries()) {
      const alone = await walk([trial]);
      expect(
        alone.map(([run]) => run),
        `trial ${k}`,
      ).to.deep.equal(together.map((fold) => fold[k]));
    }
    const results = together[1]!.map((run) => JSON.stringify(run));
    expect(new Set(results).size).to.equal(various.length);
  });

  it('are trained together where they can be', async () => {
    const sizes: number[] = [];
    const counting: typeof engine = {
      ...engine,
      open(task) {
        if (task.batch === base.tsmixer.batch) sizes.push(task.members.length);
        return engine.open(task);
      },
    };
    await walk(various, undefined, samples, counting);
    expect(sizes).to.deep.equal([3, 1, 1, 3, 1, 1]);
  });

  it('end when nobody wants them any more, and the others go on as they would have', async () => {
    const together = await walk(various);
    const wanted = await walk(various, (trial, folds) => folds === 0 || trial !== 1);
    expect(wanted[0]).to.deep.equal(together[0]);
    expect(wanted[1]!.map((run) => run === null)).to.deep.equal([false, true, false, false, false]);
    expect(wanted[1]!.filter((run) => run !== null)).to.deep.equal(
      together[1]!.filter((_, k) => k !== 1),
    );
  });

  it('fail alone, whoever trains beside them', async () => {
    const wild = withNetwork(base, { learning_rate: 1e30, weight_decay: 0, clip_norm: 0 });
    const refused = withNetwork(base, { learning_rate: 1, weight_decay: 10 });
    const folds = await walk([various[0]!, wild, refused, various[2]!]);
    expect(folds[0]![1]).to.contain('left the range of numbers in epoch 1');
    expect(folds[0]![2]).to.contain('at most 1 times its weight decay');
    for (const [k, trial] of [wild, refused].entries()) {
      expect((await walk([trial]))[0]![0]).to.equal(folds[0]![k + 1]);
      expect(folds[1]![k + 1]).to.equal(null);
    }
    const alone = await walk([various[0]!, various[2]!]);
    expect(folds.map((fold) => [fold[0], fold[3]])).to.deep.equal(alone);
  });

  it('learn nothing from bars that come after what they are tested on', async () => {
    const [first] = await walk(various.slice(0, 2));
    const run = first![0] as { readonly span: { readonly to: number } };
    const later = samplesOf(changedFrom(panel, run.span.to + panel.timeframeMs));
    expect((await walk(various.slice(0, 2), undefined, later))[0]).to.deep.equal(first);
    const before = samplesOf(changedFrom(panel, run.span.to - 60 * panel.timeframeMs));
    expect((await walk(various.slice(0, 2), undefined, before))[0]).to.not.deep.equal(first);
  });
});

function withNetwork(
  config: NetworkConfig,
  changes: Partial<NetworkConfig['tsmixer']>,
): NetworkConfig {
  return { ...config, tsmixer: { ...config.tsmixer, ...changes }, trade: eager(config) };
}

/** Scores of so small a network are small. */
function eager({ trade }: NetworkConfig): NetworkConfig['trade'] {
  const sizing = { ...trade.sizing, entry_score: 0.001, exit_score: 0.0005, gain: 20 };
  return { ...trade, sizing };
}
