import { expect } from 'chai';
import fc from 'fast-check';
import { argsort } from '../../../hpo/sample/argsort.ts';
import { numerics } from './numerics.ts';

describe('the order of numbers', () => {
  for (const { values, order } of numerics.orders) {
    it(`is numpy's, that of equals included: ${values.length} numbers`, () => {
      expect([...argsort(Float64Array.from(values))]).to.eql(order);
    });
  }

  it('ascends', () => {
    const numbers = fc.array(fc.double({ noNaN: true }), { maxLength: 300 });
    fc.assert(
      fc.property(numbers, (numbers) => {
        const values = Float64Array.from(numbers);
        const sorted = [...argsort(values)].map((i) => values[i]!);
        expect(sorted).to.eql([...numbers].sort((a, b) => a - b));
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('does not depend on the hint', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.double()), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(pairs, (pairs) => {
        const values = Float64Array.from(pairs, ([value]) => value);
        const hint = Int32Array.from(pairs.keys()).sort((a, b) => pairs[a]![1] - pairs[b]![1]);
        expect([...argsort(values, hint)]).to.eql([...argsort(values)]);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('sorts distinct numbers in the hint itself', () => {
    const hint = Int32Array.of(1, 0, 2);
    expect(argsort(Float64Array.of(3, 1, 2), hint)).to.equal(hint);
    expect([...hint]).to.eql([1, 2, 0]);
  });
});
