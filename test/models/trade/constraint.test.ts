// Order checks by hand.

import { expect } from 'chai';
import fc from 'fast-check';
import {
  type ConstraintConfig,
  checkOrder,
  type OrderCheck,
  wholeLots,
} from '../../../models/trade/index.ts';

const limits: ConstraintConfig = {
  max_gross: 1,
  max_turnover_per_step: 0.5,
  min_notional: 10,
  lot_size: 0.1,
  max_participation: 0.01,
};
const good: OrderCheck = {
  quantity: -0.3,
  notional: 30,
  quoteVolume: 3000,
  turnoverAfter: 0.5,
  grossAfter: 1,
  increases: true,
};
const check = (changes: Partial<OrderCheck>) => checkOrder({ ...good, ...changes }, limits);

describe('order constraints', () => {
  it('let an order pass that stands exactly at every limit', () => {
    expect(check({})).to.equal(null);
    expect(check({ notional: 10 })).to.equal(null);
  });

  it('forgive rounding at sums of weights, nothing more', () => {
    expect(check({ grossAfter: 0.1 + 0.2 + 0.7 + Number.EPSILON })).to.equal(null);
    expect(check({ grossAfter: 1.00001 })).to.equal('max_gross');
    expect(check({ turnoverAfter: 0.50001 })).to.equal('max_turnover');
  });

  it('name the broken rule', () => {
    expect(check({ quantity: 0.35 })).to.equal('lot_size');
    expect(check({ quantity: 0 })).to.equal('lot_size');
    expect(check({ notional: 9.99 })).to.equal('min_notional');
    expect(check({ quoteVolume: 2999 })).to.equal('participation');
  });

  it('refuse an order where nobody trades, or nobody knows whether anybody does', () => {
    expect(check({ quoteVolume: 0 })).to.equal('participation');
    expect(check({ quoteVolume: Number.NaN })).to.equal('participation');
  });

  it('never hold back for gross exposure what makes a position smaller', () => {
    expect(check({ grossAfter: 3, increases: false })).to.equal(null);
  });

  it('take any quantity but none where lots have no size', () => {
    expect(checkOrder({ ...good, quantity: 1e-9 }, { ...limits, lot_size: 0 })).to.equal(null);
    expect(checkOrder({ ...good, quantity: 0 }, { ...limits, lot_size: 0 })).to.equal('lot_size');
  });
});

describe('wholeLots', () => {
  it('takes the largest whole number of lots, and is not fooled by 0.3 / 0.1', () => {
    expect(wholeLots(0.3, 0.1)).to.be.closeTo(0.3, 1e-15);
    expect(wholeLots(0.39, 0.1)).to.be.closeTo(0.3, 1e-15);
    expect(wholeLots(-0.39, 0.1)).to.be.closeTo(-0.3, 1e-15);
    expect(wholeLots(0.09, 0.1)).to.equal(0);
    expect(wholeLots(0.123, 0)).to.equal(0.123);
  });

  it('never gives more than was asked for, and always passes the lot check', () => {
    const quantities = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    const lots = fc.double({ min: 1e-4, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(quantities, lots, (quantity, lot) => {
        const whole = wholeLots(quantity, lot);
        expect(Math.abs(whole)).to.be.at.most(Math.abs(quantity) * (1 + 1e-11));
        expect(Math.abs(quantity) - Math.abs(whole)).to.be.below(lot * (1 + 1e-9));
        const order = { ...good, quantity: whole };
        const reject = checkOrder(order, { ...limits, lot_size: lot });
        expect(reject).to.equal(whole === 0 ? 'lot_size' : null);
      }),
      { numRuns: 2000, seed: 3 },
    );
  });
});
