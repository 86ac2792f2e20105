// The walk-forward record: models of the past only, every arm over the same days.

import { expect } from 'chai';
import { silent } from '../../../core/index.ts';
import { type BarPanel, simulateMarket } from '../../../data/market/index.ts';
import { crossValidate } from '../../../training/retrain/fit.ts';
import { runNeuralStage } from '../../../training/retrain/neuralStage.ts';
import { prepareSamples } from '../../../training/retrain/samples.ts';
import { teacherFor } from '../../../training/retrain/teacher.ts';
import { walkForwardArms } from '../../../training/retrain/walkForwardArms.ts';
import { findEngine } from '../../../training/tsmixer/index.ts';
import { changedFrom } from './changedPanel.ts';
import { neuralConfig } from './smallConfig.ts';
import { fitContext } from './smallMarket.ts';

describe('retrain: walk-forward arms', function () {
  this.timeout(60_000);
  const small = neuralConfig();
  const config = {
    ...small,
    folds: { ...small.folds, walk_forward: 2 },
    gbdt: { ...small.gbdt, rounds: 4, early_stopping_rounds: 4 },
    tsmixer: { ...small.tsmixer, teacher_lambdas: [1], seeds: 1, epochs: 1 },
  };
  let panel: BarPanel;
  before(() => {
    panel = simulateMarket({ ...config.data.simulator, days: 90, timeframe: '1h' }).panel;
  });

  /** Every arm over the first folds, each with trees, network and ridge of its own. */
  async function armsOf(bars: BarPanel, folds: number) {
    const samples = prepareSamples(config, bars, new AbortController().signal);
    const context = { ...fitContext(samples), folds: config.folds };
    const { walkForward } = await crossValidate(context, config.gbdt);
    const teacher = (rows: Int32Array) => teacherFor(context, rows, config.gbdt);
    const neural = await runNeuralStage({
      ...context,
      engine: findEngine('native'),
      config: config.tsmixer,
      teacherFor: teacher,
      progress: silent,
    });
    const arms = await walkForwardArms({
      config,
      context,
      folds: walkForward.slice(0, folds),
      neural: { ...neural, epochs: 1 },
      alpha: 0.5,
      teacherFor: teacher,
    });
    return { arms, blocks: walkForward.map(({ fold }) => fold.testBlocks[0]!) };
  }

  it('cover the joined test blocks, all of them and alike', async () => {
    const { arms, blocks } = await armsOf(panel, 2);
    expect([...arms.keys()]).to.deep.equal([
      ...['tabular_only', 'nn_only', 'blend_alpha_0.5', 'frozen_baseline', 'ridge', 'zero'],
    ]);
    for (const [policy, { from, to, metrics }] of arms) {
      expect(from, policy).to.equal(blocks[0]!.from - panel.timeframeMs);
      expect(to, policy).to.equal(blocks[1]!.to);
      if (policy !== 'zero') expect(metrics.fills, policy).to.be.above(0);
    }
    expect(arms.get('zero')!.metrics.fills).to.equal(0);
  });

  it('know nothing of what comes after their fold, in any arm', async () => {
    const { arms, blocks } = await armsOf(panel, 1);
    const { to } = blocks[0]!;
    const changed = await armsOf(changedFrom(panel, to + panel.timeframeMs), 1);
    expect(changed.blocks[0]).to.deep.equal(blocks[0]);
    for (const [policy, run] of arms) {
      expect(changed.arms.get(policy), policy).to.deep.equal(run);
    }
    const earlier = await armsOf(changedFrom(panel, to - 10 * 864e5), 1);
    expect(earlier.arms.get('nn_only')).to.not.deep.equal(arms.get('nn_only'));
  });
});
