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
});
