import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import { flatTreeScorer, treeScorer } from '../../../models/score/index.ts';
import { everyKind, randomEnsemble, randomRows } from '../artifact/samples.ts';

/** float64 values as bits: -0 and 0 differ, and so would any last bit. */
const bits = (values: Float64Array) => Array.from(new BigUint64Array(values.buffer));

describe('flatTreeScorer', () => {
  it('has the reference evaluator’s bits on odd values, all missing types and categories', () => {
    const random = createRandom(5);
    for (let i = 0; i < 60; i += 1) {
      const kinds = everyKind(8);
      const ensemble = randomEnsemble(random, {
        kinds,
        trees: 1 + random.integer(12),
        maxNodes: 30,
      });
      const rows = randomRows(random, 500, kinds.length);
      const expected = treeScorer(ensemble).score(rows, 500);
      expect(bits(flatTreeScorer(ensemble).score(rows, 500))).to.deep.equal(bits(expected));
    }
  });

  it('has them without categories, with trees of one leaf, and without trees', () => {
    const random = createRandom(6);
    const kinds = everyKind(3);
    const rows = randomRows(random, 500, 3);
    for (const [trees, maxNodes] of [
      [20, 15],
      [5, 0],
      [0, 0],
    ] as const) {
      const ensemble = randomEnsemble(random, { kinds, trees, maxNodes });
      const expected = treeScorer(ensemble).score(rows, 500);
      expect(bits(flatTreeScorer(ensemble).score(rows, 500))).to.deep.equal(bits(expected));
    }
  });

  it('refuses an array that is not rows x features', () => {
    const ensemble = randomEnsemble(createRandom(7), {
      kinds: everyKind(2),
      trees: 1,
      maxNodes: 3,
    });
    expect(() => flatTreeScorer(ensemble).score(new Float32Array(3), 1))
      .to.throw(/2 numbers; found 3/)
      .with.property('code', 'length_mismatch');
  });
});
