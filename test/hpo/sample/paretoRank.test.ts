import { expect } from 'chai';
import fc from 'fast-check';
import { hypervolume, mostHypervolume } from '../../../hpo/sample/hypervolume.ts';
import { bestOfFronts, frontOf, type Losses } from '../../../hpo/sample/paretoRank.ts';

const side = 4;
const points = (dimensions: number, maxLength: number) =>
  fc.array(
    fc.array(fc.integer({ min: 0, max: side }), {
      minLength: dimensions,
      maxLength: dimensions,
    }),
    { minLength: 1, maxLength },
  );
const dimensions = fc.constantFrom(2, 3, 4);
const dominates = (a: Losses, b: Losses) =>
  a.every((x, i) => x <= b[i]!) && a.some((x, i) => x < b[i]!);

/** Unit cells that whole points dominate up to `reference` in all dimensions. */
function cells(points: readonly Losses[], reference: number): number {
  const dimensions = points[0]!.length;
  let count = 0;
  for (let cell = 0; cell < reference ** dimensions; cell += 1) {
    const corner = points[0]!.map((_, i) => Math.floor(cell / reference ** i) % reference);
    if (points.some((point) => point.every((x, i) => x <= corner[i]!))) count += 1;
  }
  return count;
}

describe('hypervolume', () => {
  it('is what points dominate: three steps of a stair', () => {
    const stair = [
      [0, 2],
      [1, 1],
      [2, 0],
    ];
    expect(hypervolume(stair, [3, 3])).to.equal(3 + 2 + 1);
  });

  it('is the count of dominated cells', () => {
    const any = dimensions.chain((n) => points(n, 7));
    fc.assert(
      fc.property(any, (points) => {
        const reference = points[0]!.map(() => side + 1);
        expect(hypervolume(points, reference)).to.equal(cells(points, side + 1));
      }),
      { numRuns: 150, seed: 1 },
    );
  });
});

describe('the best of several objectives', () => {
  const losses = [
    [3, 3],
    [0, 4],
    [2, 2],
    [4, 0],
    [1, 3],
    [2, 2],
    [5, 5],
  ];
  const choose = (wanted: number) => [...bestOfFronts([...losses.keys()], losses, wanted)].sort();

  it('are whole fronts, where they fit', () => {
    expect(choose(0)).to.eql([]);
    expect(choose(5)).to.eql([1, 2, 3, 4, 5]);
    expect(choose(6)).to.eql([0, 1, 2, 3, 4, 5]);
    expect(choose(9)).to.eql([0, 1, 2, 3, 4, 5, 6]);
  });

  it('and of the next front those that dominate most, equal ones last', () => {
    // reference 4.4: [2, 2] has 5.76, then [1, 3] adds 1.4, [0, 4] 0.96 and [4, 0] 0.96
    expect(choose(1)).to.eql([2]);
    expect(choose(2)).to.eql([2, 4]);
    expect(choose(4)).to.eql([1, 2, 3, 4]);
  });

  it('are never dominated by one that was left out', () => {
    const any = dimensions.chain((n) => points(n, 14));
    fc.assert(
      fc.property(any, fc.nat({ max: 14 }), (points, wanted) => {
        const chosen = bestOfFronts([...points.keys()], points, wanted);
        const left = [...points.keys()].filter((i) => !chosen.includes(i));
        expect(new Set(chosen).size).to.equal(Math.min(wanted, points.length));
        for (const i of left) {
          expect(chosen.some((j) => dominates(points[i]!, points[j]!))).to.equal(false);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('gain most at each step of the choice', () => {
    const any = dimensions.chain((n) => points(n, 10));
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 5 }), (points, wanted) => {
        const unique = [...new Map(points.map((point) => [String(point), point])).values()];
        const front = frontOf(unique.sort(lexically), (point) => point);
        fc.pre(front.length > wanted);
        const chosen = mostHypervolume(
          front.map((_, i) => [i]),
          front,
          wanted,
        );
        const reference = front[0]!.map(
          (_, i) => 1.1 * Math.max(...front.map((x) => x[i]!)) || 1e-12,
        );
        const volumeOf = (indices: number[]) =>
          hypervolume(
            indices.map((i) => front[i]!),
            reference,
          );
        for (let k = 0; k < wanted; k += 1) {
          const before = chosen.slice(0, k);
          const best = Math.max(...[...front.keys()].map((i) => volumeOf([...before, i])));
          expect(volumeOf(chosen.slice(0, k + 1))).to.be.closeTo(best, 1e-9);
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('are the first ones where a loss is infinite', () => {
    const front = [
      [0, Infinity],
      [1, 2],
      [2, 1],
    ];
    expect(mostHypervolume([[0], [1], [2]], front, 2)).to.eql([0, 1]);
  });
});

const lexically = (a: Losses, b: Losses): number => {
  const i = a.findIndex((x, j) => x !== b[j]);
  return i < 0 ? 0 : a[i]! - b[i]!;
};
