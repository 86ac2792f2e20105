// A trial must be what the main job would have done with the same config: it is compared with the experiment itself.

import { expect } from 'chai';
import { silent } from '../../../core/index.ts';
import type { Scorer } from '../../../models/score/index.ts';
import { runExperiment } from '../../../training/retrain/experiment.ts';
import { confirmTrees, walkForwardTrees } from '../../../training/retrain/index.ts';
import { smallConfig } from './smallConfig.ts';
import { fitContext, smallSamples } from './smallMarket.ts';

describe('retrain: trees on trial', function () {
  this.timeout(60_000);
  const config = { ...smallConfig(), folds: { ...smallConfig().folds, walk_forward: 2 } };

  it('is confirmed on the numbers of the main job, and its walk-forward ends on those of the arms', async () => {
    const samples = smallSamples();
    const { library, signal } = fitContext(samples);
    const featureCount = samples.baselineDataset.featureSpec.entries.length;
    const flat: Scorer = { featureCount, score: (_, rows) => new Float64Array(rows) };
    const experiment = await runExperiment({
      config,
      samples,
      library,
      engine: null,
      frozenBaseline: flat,
      trialCount: 1,
      stage: () => silent,
      signal,
    });
    experiment.model.close();
    const trees = experiment.runs.get('tabular_only')!;
    const found = await confirmTrees({ config, library, signal }, samples);
    expect(found.fitted).to.deep.equal({ rounds: experiment.validation.rounds });
    expect(found.validation.metrics).to.deep.equal(trees.validation.metrics);
    expect(found.forwardOos.metrics).to.deep.equal(trees.forward_oos.metrics);
    expect(found.forwardOos.metrics.fills).to.be.above(0);
    expect(found.dataRegime).to.equal('mixed');

    const runs = [];
    const search = { ...samples, rows: samples.spans.search.rows };
    for await (const run of walkForwardTrees({ config, library, signal }, search, 2))
      runs.push(run);
    expect(runs).to.have.length(2);
    const arm = experiment.arms.find(({ policy }) => policy === 'tabular_only')!;
    expect(runs[1]!.metrics).to.deep.equal(arm.walk_forward!.metrics);
    expect(runs[0]!.span.from).to.equal(runs[1]!.span.from);
    expect(runs[0]!.span.to).to.be.below(runs[1]!.span.to);
  });
});
