import { expect } from 'chai';
import fc from 'fast-check';
import { argsort } from '../../../hpo/sample/argsort.ts';
import { createColumn, orderAmong, setValue } from '../../../hpo/sample/column.ts';

/** The order of trials of a column that holds [trial, value]. */
function orderOf(pairs: readonly (readonly [number, number])[], trials: readonly number[]) {
  const column = createColumn();
  for (const [trial, value] of pairs) setValue(column, trial, value);
  const placeOf = new Int32Array(300).fill(-1);
  trials.forEach((trial, place) => {
    placeOf[trial] = place;
  });
  return orderAmong(column, Int32Array.from(trials), placeOf);
}

describe('a column of values by trial', () => {
  it('orders the trials asked for, as places among them', () => {
    const pairs = [
      [0, 3],
      [5, 1],
      [7, 2],
      [200, -4],
    ] as const;
    expect([...orderOf(pairs, [0, 5, 7, 200])!]).to.eql([3, 1, 2, 0]);
    expect([...orderOf(pairs, [0, 7])!]).to.eql([1, 0]);
  });

  it('leaves the order open where two of them are equal', () => {
    const pairs = [
      [0, 3],
      [1, 0],
      [2, -0],
    ] as const;
    expect(orderOf(pairs, [0, 1, 2])).to.equal(null);
    expect([...orderOf(pairs, [0, 1])!]).to.eql([1, 0]);
  });

  it('knows the last values only, whatever was written before', () => {
    const value = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constant(Number.NaN));
    const writes = fc.array(fc.tuple(fc.integer({ min: 0, max: 299 }), value), { maxLength: 400 });
    fc.assert(
      fc.property(writes, fc.integer({ min: 1, max: 300 }), (writes, some) => {
        const last = new Map(writes);
        const held = [...last].filter(([trial, x]) => trial < some && !Number.isNaN(x));
        held.sort(([a], [b]) => a - b);
        const values = Float64Array.from(held, ([, x]) => x);
        const trials = held.map(([trial]) => trial);
        const order = orderOf(writes, trials);
        if (new Set(values).size < values.length) expect(order).to.equal(null);
        else expect([...order!]).to.eql([...argsort(values)]);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
