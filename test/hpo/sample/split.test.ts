import { expect } from 'chai';
import { createHistory } from '../../../hpo/sample/history.ts';
import { belowCount, chooseBelow } from '../../../hpo/sample/split.ts';
import type { FrozenTrial, Json } from '../../../hpo/study/index.ts';
import { newTrial } from './study.ts';

const complete = (value: number): Partial<FrozenTrial> => ({ state: 'COMPLETE', values: [value] });
const pruned = (...reports: [number, number][]): Partial<FrozenTrial> => ({
  state: 'PRUNED',
  reports: new Map(reports),
});
const limited = (end: Partial<FrozenTrial>, ...constraints: [string, Json][]) => ({
  ...end,
  systemAttributes: new Map(constraints),
});

/** Numbers of the trials below, of 9 copies of the last one more than given, so that there are `wanted` below. */
function below(ends: readonly Partial<FrozenTrial>[], wanted: number, direction = 'MINIMIZE') {
  const filler = Array.from({ length: 10 * wanted - ends.length }, () => ends.at(-1)!);
  const trials = [...ends, ...filler].map((end, number) => ({ ...newTrial(number), ...end }));
  const chosen = chooseBelow(trials.map(createHistory().see), [direction as 'MINIMIZE']);
  return chosen.map(({ trial }) => trial.number);
}

describe('trials below', () => {
  it('are a tenth, rounded up, and 25 at most of one objective', () => {
    const counts = [0, 1, 10, 11, 250, 251, 1000].map((n) => belowCount(n, ['MINIMIZE']));
    expect(counts).to.eql([0, 1, 1, 2, 25, 25, 25]);
    expect(belowCount(1000, ['MINIMIZE', 'MINIMIZE'])).to.equal(100);
  });

  it('are the complete ones with the best values, of equals the first', () => {
    const ends = [5, 2, 9, 2, 9, 1, 9].map(complete);
    expect(below(ends, 1)).to.eql([5]);
    expect(below(ends, 2)).to.eql([1, 5]);
    expect(below(ends, 2, 'MAXIMIZE')).to.eql([2, 4]);
  });

  it('then the pruned ones that came farthest, then those with the best last report', () => {
    const last = pruned();
    const ends = [
      complete(9),
      pruned([3, 0.5], [0, 0.1]),
      pruned([4, Number.NaN]),
      pruned([3, 0.4]),
      pruned([4, 8]),
      last,
    ];
    expect(below(ends, 1)).to.eql([0]);
    expect(below(ends, 2)).to.eql([0, 4]);
    expect(below(ends, 3)).to.eql([0, 2, 4]);
    expect(below(ends, 4)).to.eql([0, 2, 3, 4]);
    expect(below(ends, 4, 'MAXIMIZE')).to.eql([0, 1, 2, 4]);
    expect(below(ends, 6)).to.eql([0, 1, 2, 3, 4, 5]);
  });

  it('then the infeasible ones that violate least, of all constraints together', () => {
    const ends = [
      limited(complete(0), ['constraints', [2, -9]]),
      limited(complete(0), ['constraints', [0.5, 0.75]]),
      limited(pruned([9, 0]), ['constraints:a', 1], ['constraints:b', -1]),
      limited(complete(7), ['constraints', [0, -1]]),
      limited(complete(0), ['constraints', [0, 3]]),
    ];
    expect(below(ends, 1)).to.eql([3]);
    expect(below(ends, 2)).to.eql([2, 3]);
    expect(below(ends, 3)).to.eql([1, 2, 3]);
    expect(below(ends, 4)).to.eql([0, 1, 2, 3]);
  });
});
