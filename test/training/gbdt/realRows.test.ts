import { expect } from 'chai';
import { treeContributions, treeScorer } from '../../../models/score/index.ts';
import { fitGbdt, type GbdtModel, type GbdtParamsInput } from '../../../training/gbdt/index.ts';
import { findLightgbm } from '../../../training/native/index.ts';
import { needsSharedData } from '../../sharedData.ts';
import { realRows } from './samples.ts';

describe('a model of 116,928 real rows', () => {
  const library = findLightgbm();
  let data: ReturnType<typeof realRows>;
  before(function () {
    needsSharedData(this as unknown as Mocha.Context);
    data = realRows();
  });

  const train = (params: GbdtParamsInput) =>
    fitGbdt(library, {
      ...data,
      params: { rounds: 100, learning_rate: 0.1, threads: 1, ...params },
    });

  function expectSameBits(model: GbdtModel): void {
    const theirs = model.predict(data.features, data.rows);
    const ours = treeScorer(model.trees).score(data.features, data.rows);
    expect(data.rows).to.equal(116_928);
    expect(theirs.findIndex((score, row) => !Object.is(score, ours[row]))).to.equal(-1);
  }

  it('scores them like LightGBM, bit for bit, with NaN and categories', async () => {
    const model = await train({});
    expect(model.trees.trees.some((tree) => tree.categories.some((set) => set !== null))).to.equal(
      true,
    );
    expect(model.trees.trees.some((tree) => tree.missing.includes(2))).to.equal(true);
    expectSameBits(model);
  });

  it('scores them like LightGBM, bit for bit, with zero as missing', async () => {
    const model = await train({ zero_as_missing: true, max_bin: 1023 });
    expect(model.trees.trees.some((tree) => tree.missing.includes(1))).to.equal(true);
    expectSameBits(model);
  });

  it('scores them like LightGBM, bit for bit, where nothing was missing in training', async () => {
    const rows = data.features.length / data.featureCount;
    const whole = data.features.map((value) => (Number.isNaN(value) ? 0 : value));
    const model = await fitGbdt(library, {
      ...data,
      rows,
      features: whole,
      params: { rounds: 50, threads: 1 },
    });
    expect(model.trees.trees.some((tree) => tree.missing.includes(0))).to.equal(true);
    expectSameBits(model);
  });

  it('explains them like LightGBM, additively', async () => {
    const model = await train({});
    const [columns, rows] = [data.featureCount, 300];
    const at = (row: number) => row * Math.floor(data.rows / rows);
    const explain = treeContributions(model.trees);
    for (let row = 0; row < rows; row += 1) {
      const values = data.features.subarray(at(row) * columns, (at(row) + 1) * columns);
      const { base, contributions } = explain(values);
      const theirs = model.contributions(values, 1);
      const score = model.predict(values, 1)[0]!;
      expect(contributions.reduce((sum, value) => sum + value, base)).to.be.closeTo(score, 1e-12);
      [...contributions, base].forEach((value, feature) => {
        expect(value).to.be.closeTo(theirs[feature]!, 1e-12);
      });
    }
  });
});
