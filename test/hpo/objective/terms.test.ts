import { expect } from 'chai';
import { dayMs, type RunMetrics } from '../../../core/index.ts';
import { judgeRun } from '../../../hpo/objective/index.ts';

describe('hpo objective: terms', () => {
  const metrics = {
    pnl_after_cost: 5000,
    max_drawdown: -0.2,
    reject_rate: 0.1,
    turnover: 2,
    sharpe_daily: 1.5,
  } as RunMetrics;
  const weights = { max_drawdown: 0.5, reject_rate: 0.3, turnover: 0.01 };

  it('are the profit of a year as a share of equity, less each penalty', () => {
    // half a year: 5000 of 100000 is 10 % a year; 0.1 - 0.5 * 0.2 - 0.3 * 0.1 - 0.01 * 2 = -0.05
    const { value, terms } = judgeRun(metrics, { from: 0, to: 182.5 * dayMs }, 100_000, weights);
    expect(value).to.be.closeTo(-0.05, 1e-15);
    expect(terms).to.deep.equal({
      pnl_after_cost: 5000,
      pnl_per_year_frac: 0.1,
      max_drawdown: 0.2,
      reject_rate: 0.1,
      turnover: 2,
      sharpe_daily: 1.5,
    });
  });

  it('are refused for a run of no length', () => {
    expect(() => judgeRun(metrics, { from: 5, to: 5 }, 1, weights)).to.throw('must last');
  });
});
