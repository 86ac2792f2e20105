import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import type { TreeEnsemble } from '../../../models/score/index.ts';
import { leafGrid, snapToGrid } from '../../../training/gbdt/exactSum.ts';
import { fitGbdt } from '../../../training/gbdt/index.ts';
import { findLightgbm } from '../../../training/native/index.ts';
import { drawnRows } from './samples.ts';

const ensembleOf = (...leaves: readonly number[][]): TreeEnsemble =>
  ({
    featureCount: 1,
    trees: leaves.map((values) => ({ leafValue: Float64Array.from(values) })),
  }) as unknown as TreeEnsemble;

describe('leafGrid', () => {
  it('is a power of two, 2^-52 of the bound of all partial sums rounded up to one', () => {
    expect(leafGrid(ensembleOf([1, -3], [2, 0.5]))).to.equal(2 ** (3 - 52));
    expect(leafGrid(ensembleOf([4]))).to.equal(2 ** (2 - 52));
  });

  it('is 0, and moves nothing, when all leaves are zero', () => {
    expect(leafGrid(ensembleOf([0, 0]))).to.equal(0);
    expect(snapToGrid(0, 0)).to.equal(0);
  });

  it('moves a leaf by half a step at most', () => {
    const random = createRandom(3);
    const leaves = Array.from({ length: 50 }, () =>
      Array.from({ length: 31 }, () => random.normal()),
    );
    const grid = leafGrid(ensembleOf(...leaves));
    for (const leaf of leaves.flat()) {
      expect(Math.abs(snapToGrid(leaf, grid) - leaf)).to.be.at.most(grid / 2);
      expect(Number.isInteger(snapToGrid(leaf, grid) / grid)).to.equal(true);
    }
  });
});

describe('the leaves of a trained model', () => {
  const random = createRandom(4);
  const drawn = drawnRows(4000);

  /** Sums one leaf of each tree, in a random order and in random groups, as threads and batches might. */
  function sumAnyhow(leaves: readonly number[]): number {
    const parts = [...leaves];
    while (parts.length > 1) {
      const [a] = parts.splice(random.integer(parts.length), 1);
      const [b] = parts.splice(random.integer(parts.length), 1);
      parts.push(a! + b!);
    }
    return parts[0]!;
  }

  /** How many of 2,000 choices of leaves give more than one value over ten ways to sum them. */
  function orderDependent(trees: readonly (readonly number[])[]): number {
    let count = 0;
    for (let round = 0; round < 2000; round += 1) {
      const leaves = trees.map((values) => values[random.integer(values.length)]!);
      const sums = new Set(Array.from({ length: 10 }, () => sumAnyhow(leaves)));
      if (sums.size > 1) count += 1;
    }
    return count;
  }

  it('have one sum in every order, which they had not before', async () => {
    const labels = drawn.labels.map((label) => 1000 + label);
    const params = { rounds: 60, learning_rate: 0.1, threads: 1 };
    const model = await fitGbdt(findLightgbm(), { ...drawn, labels, params });
    const trees = model.trees.trees.map((tree) => [...tree.leafValue]);
    expect(orderDependent(trees)).to.equal(0);
    const unsnapped = trees.map((values) => values.map((value) => value * (1 + 2 ** -30)));
    expect(orderDependent(unsnapped), 'the test sees rounding where there is some').to.be.above(
      1000,
    );
  });
});
