import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom, SluiceError } from '../../../core/index.ts';
import { decodeTreesOnnx, encodeTreesOnnx } from '../../../models/artifact/index.ts';
import { type Tree, type TreeEnsemble, treeScorer } from '../../../models/score/index.ts';
import { differing, ortScores } from './ortScores.ts';
import { everyKind, type FeatureKind, randomEnsemble, randomRows } from './samples.ts';

/** A tree of one split and leaves 1 (left) and 2 (right). */
const stump = (split: {
  threshold?: number;
  missing?: number;
  defaultLeft?: number;
  categories?: number[];
}): Tree => ({
  splitFeature: Int32Array.of(0),
  threshold: Float64Array.of(split.threshold ?? 0),
  left: Int32Array.of(~0),
  right: Int32Array.of(~1),
  defaultLeft: Uint8Array.of(split.defaultLeft ?? 0),
  missing: Uint8Array.of(split.missing ?? 0),
  categories: [split.categories ?? null],
  nodeCover: Float64Array.of(3),
  leafValue: Float64Array.of(1, 2),
  leafCover: Float64Array.of(1, 2),
});

const alone = (tree: Tree): TreeEnsemble => ({ featureCount: 1, trees: [tree] });

describe('trees as ONNX', () => {
  it('route a value as LightGBM does, decided by hand for each way of missing', async () => {
    const { NaN: nan } = Number;
    const tiny = Math.fround(1e-35);
    const cases: [Tree, [number, number][]][] = [
      [
        stump({ threshold: 0.5 }),
        [
          [0.5, 1],
          [0.6, 2],
          [nan, 1],
          [-Infinity, 1],
          [Infinity, 2],
        ],
      ],
      [
        stump({ threshold: -0.5, defaultLeft: 1 }),
        [
          [nan, 2],
          [-0.5, 1],
          [0, 2],
        ],
      ],
      [
        stump({ threshold: 0 }),
        [
          [tiny, 1],
          [-tiny, 1],
          [2e-35, 2],
          [nan, 1],
        ],
      ],
      [
        stump({ threshold: -tiny }),
        [
          [-tiny, 2],
          [0, 2],
          [-2e-35, 1],
          [nan, 2],
        ],
      ],
      [
        stump({ threshold: Infinity, missing: 2, defaultLeft: 0 }),
        [
          [nan, 2],
          [Infinity, 1],
          [0, 1],
        ],
      ],
      [
        stump({ threshold: 0.5, missing: 2, defaultLeft: 0 }),
        [
          [nan, 2],
          [0, 1],
        ],
      ],
      [
        stump({ threshold: -0.5, missing: 2, defaultLeft: 1 }),
        [
          [nan, 1],
          [0, 2],
        ],
      ],
      [
        stump({ threshold: 0.5, missing: 1, defaultLeft: 0 }),
        [
          [nan, 2],
          [0, 2],
          [tiny, 2],
          [0.1, 1],
        ],
      ],
      [
        stump({ threshold: -0.5, missing: 1, defaultLeft: 1 }),
        [
          [nan, 1],
          [-0, 1],
          [-tiny, 1],
          [0.1, 2],
        ],
      ],
      [
        stump({ categories: [0, 3, 31, 32, 64, 100], missing: 2 }),
        [
          ...[0, -0.9, 0.9, 3, 3.9, 31, 32, 64, 100.5].map((x): [number, number] => [x, 1]),
          ...[1, -1, -3, 2.9, 30, 33, 63, 65, 101, 128, nan].map((x): [number, number] => [x, 2]),
          ...[Infinity, -Infinity, 2 ** 31, 2 ** 32 + 3, -(2 ** 31)].map((x): [number, number] => [
            x,
            2,
          ]),
        ],
      ],
    ];
    for (const [tree, pairs] of cases) {
      const rows = Float32Array.from(pairs, ([x]) => x);
      const expected = pairs.map(([, leaf]) => leaf);
      const bytes = encodeTreesOnnx(alone(tree));
      expect([...(await ortScores(bytes, rows, rows.length))]).to.deep.equal(expected);
      expect([...treeScorer(alone(tree)).score(rows, rows.length)]).to.deep.equal(expected);
    }
  });

  it('give the reference scores bit for bit, for any batch size and one or two threads', async function () {
    this.timeout(60_000);
    const random = createRandom(11);
    const kinds = everyKind(8);
    for (const trees of [1, 7, 120]) {
      const ensemble = randomEnsemble(random, { kinds, trees, maxNodes: 30 });
      const rows = 600;
      const features = randomRows(random, rows, kinds.length);
      const expected = treeScorer(ensemble).score(features, rows);
      const bytes = encodeTreesOnnx(ensemble);
      for (const [threads, batch] of [
        [1, rows],
        [1, 1],
        [1, 7],
        [2, rows],
        [2, 129],
        [2, 1],
      ] as const) {
        const found = await ortScores(bytes, features, rows, { threads, batch });
        expect(
          differing(found, expected),
          `${trees} trees, ${threads} threads, batch ${batch}`,
        ).to.equal(0);
      }
    }
  });

  it('give the reference scores for random ensembles of any mixture of columns', async function () {
    this.timeout(60_000);
    const kind = fc.constantFrom<FeatureKind>(
      'category',
      { missing: 0 },
      { missing: 1 },
      { missing: 2 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(kind, { minLength: 1, maxLength: 5 }),
        async (seed, kinds) => {
          const random = createRandom(seed);
          const ensemble = randomEnsemble(random, {
            kinds,
            trees: 1 + random.integer(6),
            maxNodes: 12,
          });
          const features = randomRows(random, 50, kinds.length);
          const found = await ortScores(encodeTreesOnnx(ensemble), features, 50);
          expect(differing(found, treeScorer(ensemble).score(features, 50))).to.equal(0);
        },
      ),
      { seed: 5, numRuns: 150 },
    );
  });

  it('come back from their bytes exactly, covers and missing types included, and give those bytes again', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = createRandom(seed);
        const trees = 1 + random.integer(5);
        const ensemble = randomEnsemble(random, { kinds: everyKind(5), trees, maxNodes: 9 });
        const bytes = encodeTreesOnnx(ensemble);
        const again = decodeTreesOnnx(bytes);
        expect(atBandEdges(again)).to.deep.equal(atBandEdges(ensemble));
        expect(encodeTreesOnnx(again).equals(bytes)).to.equal(true);
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  it('are refused with a sentence when no tree of LightGBM looks so', () => {
    const good = stump({ threshold: 1 });
    const wrong: [string, TreeEnsemble][] = [
      ['no trees', { featureCount: 1, trees: [] }],
      ['feature count', { featureCount: 0, trees: [good] }],
      ['splits on feature 3', alone({ ...good, splitFeature: Int32Array.of(3) })],
      ['two parents', alone({ ...good, right: Int32Array.of(~0) })],
      ['two parents', alone({ ...good, right: Int32Array.of(0) })],
      ['does not exist', alone({ ...good, right: Int32Array.of(~5) })],
      ['threshold NaN', alone({ ...good, threshold: Float64Array.of(Number.NaN) })],
      ['threshold -Infinity', alone({ ...good, threshold: Float64Array.of(-Infinity) })],
      ['not finite', alone({ ...good, leafValue: Float64Array.of(1, Infinity) })],
      ['lengths', alone({ ...good, missing: new Uint8Array(2) })],
      ['leaves', alone({ ...good, leafCover: new Float64Array(3) })],
      ['missing type', alone({ ...good, missing: Uint8Array.of(3) })],
      ['increasing', alone(stump({ categories: [3, 1] }))],
      ['increasing', alone(stump({ categories: [] }))],
      ['increasing', alone(stump({ categories: [-1] }))],
      ['split as', { featureCount: 1, trees: [good, stump({ categories: [1] })] }],
      ['split as', { featureCount: 1, trees: [good, stump({ missing: 1 })] }],
    ];
    for (const [text, ensemble] of wrong) {
      expect(() => encodeTreesOnnx(ensemble)).to.throw(SluiceError, text);
    }
  });
});

/** The ensemble with thresholds strictly inside +-1e-35 moved to the edges, where they decide the same. */
function atBandEdges(ensemble: TreeEnsemble): TreeEnsemble {
  const edge = Math.fround(1e-35);
  const snap = (x: number, i: number, { missing, categories }: Tree): number => {
    if (Math.abs(x) > edge || missing[i] === 1 || categories[i] !== null) return x;
    return x >= 0 ? edge : -edge;
  };
  return {
    ...ensemble,
    trees: ensemble.trees.map((tree) => ({
      ...tree,
      threshold: tree.threshold.map((x, i) => snap(x, i, tree)),
    })),
  };
}
