import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom } from '../../../core/index.ts';
import { treeVariance } from '../../../hpo/importance/fanova.ts';
import {
  type Axis,
  type Extent,
  growTree,
  type Leaf,
  type Sample,
} from '../../../hpo/importance/tree.ts';

const range: Axis = { kind: 'range' };
const all = (sample: Sample) => Int32Array.from(sample.targets.keys());
const treeOf = (sample: Sample, seed = 1) => growTree(sample, all(sample), createRandom(seed));

const isIn = (extent: Extent, x: number): boolean =>
  extent instanceof Uint8Array ? extent[x] === 1 : x > extent.low && x < extent.high;
const leavesAt = (leaves: readonly Leaf[], point: readonly number[]): Leaf[] =>
  leaves.filter(({ region }) => region.every((extent, axis) => isIn(extent, point[axis]!)));

/** Middles and sizes of the cells into which leaves divide an axis. */
function cellsOf(leaves: readonly Leaf[], axis: number): [x: number, size: number][] {
  const extents = leaves.map(({ region }) => region[axis]!);
  if (extents[0] instanceof Uint8Array)
    return Array.from(extents[0], (_, choice) => [choice, 1 / (extents[0] as Uint8Array).length]);
  const bounds = extents.flatMap((extent) =>
    extent instanceof Uint8Array ? [] : [extent.low, extent.high],
  );
  const edges = [...new Set(bounds)].sort((a, b) => a - b);
  return edges.slice(1).map((high, i) => [(edges[i]! + high) / 2, high - edges[i]!]);
}

/** All points of a grid of cells, with their volumes. */
function gridOf(cells: readonly (readonly [number, number][])[]): [number[], number][] {
  return cells.reduce<[number[], number][]>(
    (grid, axis) =>
      grid.flatMap(([point, volume]) =>
        axis.map(([x, size]): [number[], number] => [[...point, x], volume * size]),
      ),
    [[[], 1]],
  );
}

/** Variance of the marginal of some axes, by looking everything up cell by cell. */
function slowMarginal(leaves: readonly Leaf[], axes: readonly number[]): number {
  const cells = leaves[0]!.region.map((_, axis) => cellsOf(leaves, axis));
  const marginals = new Map<string, [mass: number, sum: number]>();
  for (const [point, volume] of gridOf(cells)) {
    const key = axes.map((axis) => point[axis]).join();
    const [mass, sum] = marginals.get(key) ?? [0, 0];
    marginals.set(key, [mass + volume, sum + volume * leavesAt(leaves, point)[0]!.value]);
  }
  const mean = [...marginals.values()].reduce((total, [, sum]) => total + sum, 0);
  return [...marginals.values()].reduce((v, [mass, sum]) => v + mass * (sum / mass - mean) ** 2, 0);
}

const samples = fc
  .array(
    fc.record({
      x: fc.integer({ min: 0, max: 16 }),
      y: fc.integer({ min: 0, max: 16 }),
      choice: fc.nat(3),
      target: fc.integer({ min: -5, max: 5 }),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map(
    (points): Sample => ({
      axes: [range, range, { kind: 'choices', count: 5 }],
      columns: [
        Float64Array.from(points, ({ x }) => x / 16),
        Float64Array.from(points, ({ y }) => y / 16),
        Float64Array.from(points, ({ choice }) => choice),
      ],
      targets: Float64Array.from(points, ({ target }) => target),
    }),
  );
const subsets = [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]];

describe('a regression tree as the regions of its leaves', () => {
  it('cuts half way between the points where the target jumps', () => {
    const leaves = treeOf({
      axes: [range],
      columns: [Float64Array.of(0.1, 0.2, 0.6, 0.9)],
      targets: Float64Array.of(1, 1, 5, 5),
    });
    expect(leaves).to.deep.equal([
      { value: 1, region: [{ low: 0, high: 0.4 }] },
      { value: 5, region: [{ low: 0.4, high: 1 }] },
    ]);
  });

  it('divides choices by their means, and lets one that never came go with most points', () => {
    const leaves = treeOf({
      axes: [{ kind: 'choices', count: 4 }],
      columns: [Float64Array.of(0, 1, 2, 0)],
      targets: Float64Array.of(1, 5, 1, 1),
    });
    expect(leaves.map(({ value, region }) => [value, ...(region[0] as Uint8Array)])).to.deep.equal([
      [1, 1, 0, 1, 1],
      [5, 0, 1, 0, 0],
    ]);
  });

  it('tells points of different targets apart, and is a mean where points are the same', () => {
    const leaves = treeOf({
      axes: [range],
      columns: [Float64Array.of(0.5, 0.5, 0.9)],
      targets: Float64Array.of(1, 2, 7),
    });
    expect(leaves.map(({ value }) => value)).to.deep.equal([1.5, 7]);
  });

  it('cuts between two neighbours among doubles', () => {
    const next = 0.5 + 2 ** -53;
    const leaves = treeOf({
      axes: [range],
      columns: [Float64Array.of(0.5, next)],
      targets: Float64Array.of(1, 2),
    });
    expect(leaves).to.have.length(2);
  });

  it('tiles the space: every point lies in one leaf, and volumes sum to 1', () => {
    const point = fc.tuple(
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      fc.nat(4),
    );
    fc.assert(
      fc.property(samples, point, fc.nat(9), (sample, at, seed) => {
        const leaves = treeOf(sample, seed);
        // a point on an edge is in no open region
        expect(leavesAt(leaves, at).length).to.be.at.most(1);
        const volume = gridOf(leaves[0]!.region.map((_, axis) => cellsOf(leaves, axis)))
          .filter(([middle]) => leavesAt(leaves, middle).length === 1)
          .reduce((sum, [, size]) => sum + size, 0);
        expect(volume).to.be.closeTo(1, 1e-12);
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});

describe('the variance of a tree’s marginals', () => {
  it('is exact on a tree that one can do by hand', () => {
    // 1 left of 1/4; elsewhere 5 below and 9 above 1/2
    const leaves: Leaf[] = [
      {
        value: 1,
        region: [
          { low: 0, high: 0.25 },
          { low: 0, high: 1 },
        ],
      },
      {
        value: 5,
        region: [
          { low: 0.25, high: 1 },
          { low: 0, high: 0.5 },
        ],
      },
      {
        value: 9,
        region: [
          { low: 0.25, high: 1 },
          { low: 0.5, high: 1 },
        ],
      },
    ];
    const variance = treeVariance(leaves);
    // mean 5.5; marginals: x: 1, 7 with 1/4, 3/4; y: 4, 7 with 1/2 each
    expect(variance.total).to.be.closeTo(9.75, 1e-12);
    expect(variance.marginal([0])).to.be.closeTo(6.75, 1e-12);
    expect(variance.marginal([1])).to.be.closeTo(2.25, 1e-12);
    expect(variance.marginal([0, 1])).to.be.closeTo(9.75, 1e-12);
  });

  it('is what looking at every cell gives, choices included', () => {
    fc.assert(
      fc.property(samples, fc.nat(9), (sample, seed) => {
        const leaves = treeOf(sample, seed);
        const variance = treeVariance(leaves);
        // targets lie within 5 of 0: sums of squares up to 25, some hundred roundings
        for (const axes of subsets)
          expect(variance.marginal(axes)).to.be.closeTo(slowMarginal(leaves, axes), 1e-12);
        expect(variance.marginal([0, 1, 2])).to.be.closeTo(variance.total, 1e-12);
      }),
      { seed: 2, numRuns: 40 },
    );
  });
});
