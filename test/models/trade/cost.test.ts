// Costs by hand.

import { expect } from 'chai';
import { hourMs } from '../../../core/index.ts';
import {
  type CostConfig,
  fundingCost,
  fundingPayments,
  tradeCost,
} from '../../../models/trade/index.ts';

const cost: CostConfig = {
  fee_bps: { maker: -1, taker: 5 },
  maker_frac: 0.25,
  half_spread_bps: 2,
  slippage: { coefficient_bps: 10, exponent: 0.5 },
  funding_bps_8h: 1,
};

describe('trade cost', () => {
  it('mixes maker and taker fee, adds half the spread and the impact of the participation', () => {
    const paid = tradeCost(10_000, 1_000_000, cost);
    // fee 0.25 x -1 + 0.75 x 5 = 3.5 bps; participation 1 %, root 0.1
    expect(paid.fee).to.be.closeTo(3.5, 1e-12);
    expect(paid.spread).to.be.closeTo(2, 1e-12);
    expect(paid.slippage).to.be.closeTo(1, 1e-12);
  });

  it('follows the power law of its exponent', () => {
    const linear = { ...cost, slippage: { coefficient_bps: 10, exponent: 1 } };
    expect(tradeCost(10_000, 1_000_000, linear).slippage).to.be.closeTo(0.1, 1e-12);
    const steep = { ...cost, slippage: { coefficient_bps: 10, exponent: 1.5 } };
    expect(tradeCost(10_000, 1_000_000, steep).slippage).to.be.closeTo(0.01, 1e-12);
  });

  it('takes no slippage without a coefficient, whatever the volume', () => {
    const free = { ...cost, slippage: { coefficient_bps: 0, exponent: 0.5 } };
    expect(tradeCost(10_000, 0, free).slippage).to.equal(0);
  });

  it('lets longs pay funding and shorts receive it', () => {
    expect(fundingCost(20_000, 1, cost)).to.be.closeTo(2, 1e-12);
    expect(fundingCost(-20_000, 2, cost)).to.be.closeTo(-4, 1e-12);
  });

  it('counts funding times in (open, close]', () => {
    const at = (from: number, to: number) => fundingPayments(from * hourMs, to * hourMs);
    expect([at(0, 1), at(7, 8), at(8, 9), at(0, 24), at(5, 21)]).to.deep.equal([0, 1, 0, 3, 2]);
  });
});
