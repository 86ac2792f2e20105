// Places in sorted numbers, beside a plain search.

import { expect } from 'chai';
import fc from 'fast-check';
import { lowerBound, upperBound } from '../../core/index.ts';

describe('a place in sorted numbers', () => {
  it('is the first that is not below, and the first that is above', () => {
    const small = fc.integer({ min: -5, max: 5 });
    fc.assert(
      fc.property(fc.array(small), small, (numbers, value) => {
        const sorted = Float64Array.from(numbers).sort();
        const orEnd = (place: number) => (place < 0 ? sorted.length : place);
        expect(lowerBound(sorted, value)).to.equal(orEnd(sorted.findIndex((n) => n >= value)));
        expect(upperBound(sorted, value)).to.equal(orEnd(sorted.findIndex((n) => n > value)));
      }),
    );
  });
});
