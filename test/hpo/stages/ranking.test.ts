import { expect } from 'chai';
import { ranked, spaceAround } from '../../../hpo/stages/ranking.ts';
import {
  categoricalDistribution,
  type Distribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
  type Json,
} from '../../../hpo/study/index.ts';
import { madeTrial } from './records.ts';

const trial = (number: number, change: Parameters<typeof madeTrial>[0] = {}): FrozenTrial => ({
  id: number,
  number,
  ...madeTrial(change),
});

describe('hpo stages: ranking', () => {
  it('puts the best value first, the earlier of equals, and leaves out what is not COMPLETE or feasible', () => {
    const broken = new Map<string, Json>([['constraints', [1]]]);
    const trials = [
      trial(0, { values: [1] }),
      trial(1, { values: [3], state: 'PRUNED' }),
      trial(2, { values: [2] }),
      trial(3, { values: [2] }),
      trial(4, { values: [9], systemAttributes: broken }),
      trial(5, { values: null, state: 'FAIL' }),
    ];
    expect(ranked(trials).map(({ number }) => number)).to.deep.equal([2, 3, 0]);
  });

  const around = (distribution: Distribution, values: readonly number[], margin: number) => {
    const trials = values.map((value, at) =>
      trial(at, { params: new Map([['x', { value, distribution }]]) }),
    );
    return spaceAround({ x: distribution }, trials, margin).x;
  };

  it('narrows a range to the values and a margin, in the logarithm where that is uniform', () => {
    const plain = floatDistribution(0, 10);
    expect(around(plain, [4, 5], 0.1)).to.deep.equal(floatDistribution(3, 6));
    expect(around(plain, [0.5, 9.5], 0.1)).to.deep.equal(plain);
    const log = around(floatDistribution(1, 10_000, { log: true }), [100], 0.25) as {
      low: number;
      high: number;
    };
    expect(log.low).to.be.closeTo(10, 1e-12);
    expect(log.high).to.be.closeTo(1000, 1e-9);
  });

  it('stays on the steps of a range, leaves choices alone, and knows nothing without values', () => {
    expect(around(intDistribution(0, 20, { step: 4 }), [8], 0.2)).to.deep.equal(
      intDistribution(4, 12, { step: 4 }),
    );
    expect(around(floatDistribution(0, 1, { step: 0.25 }), [0.5], 0)).to.deep.equal(
      floatDistribution(0.5, 0.5, { step: 0.25 }),
    );
    const choices = categoricalDistribution(['a', 'b']);
    expect(around(choices, [1], 0.1)).to.deep.equal(choices);
    expect(around(floatDistribution(0, 1), [], 0.1)).to.deep.equal(floatDistribution(0, 1));
  });
});
