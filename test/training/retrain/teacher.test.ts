// The teacher of a network: predictions of trees that saw neither the row nor anything beyond the training rows.

import { expect } from 'chai';
import type { Dataset } from '../../../data/dataset/index.ts';
import type { Samples } from '../../../training/retrain/samples.ts';
import { teacherFor } from '../../../training/retrain/teacher.ts';
import { smallConfig } from './smallConfig.ts';
import { fitContext, smallSamples } from './smallMarket.ts';

describe('retrain: the teacher', function () {
  this.timeout(60_000);
  const params = { ...smallConfig().gbdt, rounds: 4, early_stopping_rounds: 4 };
  let samples: Samples;
  let train: Int32Array;
  before(() => {
    samples = smallSamples({ days: 90 });
    train = samples.spans.search.rows.subarray(0, 1500);
  });

  const teach = (dataset: Dataset): Promise<Float64Array> =>
    teacherFor(fitContext({ ...samples, dataset }), train, params);

  it('has an answer for every row asked for and for no other', async () => {
    const teacher = await teach(samples.dataset);
    const answered = [...teacher.keys()].filter((row) => !Number.isNaN(teacher[row]!));
    expect(answered).to.deep.equal([...train]);
    expect(teacher).to.have.length(samples.dataset.rows);
  });

  it('knows nothing of what comes after the rows that train: features and labels alike', async () => {
    const { dataset } = samples;
    const width = dataset.features.length / dataset.rows;
    const inside = new Set(train);
    const labels = dataset.labels.map((label, row) => (inside.has(row) ? label : -9 * label + 1));
    const features = dataset.features.map((x, i) =>
      inside.has(Math.floor(i / width)) ? x : 1e3 - x,
    );
    expect(await teach({ ...dataset, labels, features })).to.deep.equal(await teach(dataset));
  });

  it('does not know the label of the row that it answers, nor any that this one touches', async () => {
    const { dataset } = samples;
    const row = train[400]!;
    // in two folds the first half is answered by trees of the second alone
    const touched = (at: number) =>
      dataset.t0[at]! <= dataset.t1[row]! && dataset.t1[at]! >= dataset.t0[row]!;
    const labels = dataset.labels.map((label, at) => (touched(at) ? label + 50 : label));
    const [before, after] = [await teach(dataset), await teach({ ...dataset, labels })];
    expect(after[row]).to.equal(before[row]);
    const others = [...train].filter((at) => after[at] !== before[at]);
    expect(others.length, 'rows of the other half do').to.be.above(0);
    expect(others.every((at) => dataset.t0[at]! > dataset.t1[row]!)).to.equal(true);
  });
});
