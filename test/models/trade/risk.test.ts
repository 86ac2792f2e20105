// The stops as a transition table.

import { expect } from 'chai';
import { openRisk, type RiskPhase, stepRisk } from '../../../models/trade/index.ts';

const risk = { max_drawdown: 0.2, daily_loss: 0.05 };

/** [day, equity, phase afterwards, why] from an initial equity of 100. */
type Row = readonly [number, number, RiskPhase, string];

function walk(rows: readonly Row[]): void {
  const state = openRisk(100);
  for (const [day, equity, phase, why] of rows) {
    stepRisk(state, equity, day, risk);
    expect(state.phase, `day ${day}, equity ${equity}: ${why}`).to.equal(phase);
  }
}

describe('risk limits', () => {
  it('stop the day at its loss limit and release it with the next day', () => {
    walk([
      [1, 96, 'trading', 'a loss of 4 %'],
      [1, 95, 'day_stop', 'exactly 5 % of the day opening'],
      [1, 99, 'day_stop', 'a recovery does not release'],
      [2, 95, 'trading', 'a new day, measured from 99'],
      [2, 94, 'day_stop', 'below 99 x 0.95'],
      [3, 88, 'day_stop', 'the new day loses 6 % at once'],
      [5, 88, 'trading', 'a skipped day is a new day too'],
    ]);
  });

  it('stop for good at the drawdown limit, measured from the highest equity', () => {
    walk([
      [1, 120, 'trading', 'a new peak'],
      [2, 115, 'trading', ''],
      [3, 110, 'trading', ''],
      [4, 105, 'trading', ''],
      [5, 100, 'trading', ''],
      [6, 96, 'drawdown_stop', 'exactly 20 % below 120'],
      [7, 300, 'drawdown_stop', 'nothing releases it'],
      [8, 270, 'drawdown_stop', 'nor does a daily loss soften it'],
    ]);
  });

  it('let the drawdown stop win over the daily stop', () => {
    walk([
      [1, 94, 'day_stop', ''],
      [1, 79, 'drawdown_stop', 'both limits are broken'],
      [2, 79, 'drawdown_stop', 'a new day does not help'],
    ]);
  });

  it('never stop at a limit of 1 before the money is gone', () => {
    const loose = { max_drawdown: 1, daily_loss: 1 };
    const state = openRisk(100);
    expect(stepRisk(state, 0.01, 1, loose)).to.equal(false);
    expect(stepRisk(state, 0, 1, loose)).to.equal(true);
    expect(state.phase).to.equal('drawdown_stop');
    expect(stepRisk(state, 0, 2, loose)).to.equal(false);
  });
});
