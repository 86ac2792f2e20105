import { expect } from 'chai';
import { missingType, treeScorer, zeroThreshold } from '../../../models/score/index.ts';
import { handTree } from './handTree.ts';

const score = (tree: typeof handTree, ...row: number[]) =>
  treeScorer({ featureCount: 2, trees: [tree] }).score(Float32Array.from(row), 1)[0];

describe('treeScorer', () => {
  it('walks a tree by threshold, category and missing value', () => {
    expect(score(handTree, 0.6, 1), 'right of the root').to.equal(4);
    expect(score(handTree, 0.5, 33), 'at the threshold goes left; 33 is in the set').to.equal(1);
    expect(score(handTree, 0.4, 2), '2 is not in the set').to.equal(2);
    expect(score(handTree, Number.NaN, 1), 'missing goes left').to.equal(1);
  });

  it('truncates categories like a C cast, and NaN and negative ones go right', () => {
    expect(score(handTree, 0, 1.9)).to.equal(1);
    expect(score(handTree, 0, -1)).to.equal(2);
    expect(score(handTree, 0, Number.NaN)).to.equal(2);
    expect(score({ ...handTree, categories: [null, [0]] }, 0, -0.5)).to.equal(1);
  });

  it('takes NaN for zero where nothing is missing, and near zeros for missing where zero is', () => {
    const none = {
      ...handTree,
      missing: Uint8Array.of(missingType.none, 0),
      defaultLeft: Uint8Array.of(0, 0),
    };
    expect(score(none, Number.NaN, 1), '0 <= 0.5').to.equal(1);
    const zero = { ...none, missing: Uint8Array.of(missingType.zero, 0) };
    for (const missing of [0, -0, Number.NaN, zeroThreshold, -zeroThreshold])
      expect(score(zero, missing, 1), `${missing} goes the default way, right`).to.equal(4);
    expect(score(zero, 2 * zeroThreshold, 1)).to.equal(1);
  });

  it('adds the trees of an ensemble, row by row', () => {
    const trees = [handTree, { ...handTree, leafValue: Float64Array.of(10, 20, 40) }];
    const scores = treeScorer({ featureCount: 2, trees }).score(
      Float32Array.of(0, 1, 0, 2, 1, 0),
      3,
    );
    expect([...scores]).to.deep.equal([11, 22, 44]);
  });

  it('refuses an array that is not rows x features', () => {
    expect(() => treeScorer({ featureCount: 2, trees: [handTree] }).score(new Float32Array(3), 1))
      .to.throw(/2 numbers; found 3/)
      .with.property('code', 'length_mismatch');
  });
});
