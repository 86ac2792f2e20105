// The engine on markets small enough to compute by hand.

import { expect } from 'chai';
import { dayMs, hourMs, type SluiceError } from '../../../core/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { type BacktestInput, runBacktest } from '../../../models/backtest/index.ts';
import { always, newYear, panelOf, type Quote, tradeOf } from './market.ts';

const none = Number.NaN;

const run = (panel: BarPanel, scores: number[], trade: BacktestInput['trade']) =>
  runBacktest({ panel, scores: Float64Array.from(scores), trade, ...always });

describe('backtest engine, by hand', () => {
  it('decides at the close, fills at the next open, pays for it, and marks at the close', () => {
    const panel = panelOf([
      [
        [99, 100],
        [102, 104],
        [104, 110],
      ],
    ]);
    const trade = tradeOf({ cost: { fee_bps: { maker: 0, taker: 10 }, half_spread_bps: 5 } });
    const result = run(panel, [0.5, none, none], trade);
    // 0.5 x 1000 / 100 = 5 units at 102: notional 510, fee 0.51, spread 0.255
    const paid = 0.51 + 0.255;
    expect(Array.from(result.equity)).to.deep.equal([1000, 1000 - paid + 10, 1000 - paid + 40]);
    expect(Array.from(result.pnlBeforeCost)).to.deep.equal([0, 10, 30]);
    expect(Array.from(result.turnover)).to.deep.equal([0, 0.51, 0]);
    expect(result.cost.fee).to.be.closeTo(0.51, 1e-15);
    expect(result.cost.spread).to.be.closeTo(0.255, 1e-15);
    expect(result.weights[2]).to.be.closeTo(550 / (1040 - paid), 1e-7);
    expect(result.gross[1]).to.be.closeTo(520 / (1010 - paid), 1e-15);
    expect(result).to.include({ fills: 1, orders: 1, missingBars: 0 });
    expect(Array.from(result.closeMs)).to.deep.equal([1, 2, 3].map((h) => newYear + h * hourMs));
  });

  it('takes slippage from the volume of the bar that decided, not of the bar that fills', () => {
    const panel = panelOf([
      [
        [100, 100],
        [100, 100],
      ],
    ]);
    panel.quoteVolume.set([40_000, 1]);
    const trade = tradeOf({ cost: { slippage: { coefficient_bps: 100, exponent: 0.5 } } });
    // participation 1000 / 40000, root 0.158..., x 1 %
    expect(run(panel, [1, none], trade).cost.slippage).to.be.closeTo(10 * Math.sqrt(1 / 40), 1e-12);
    panel.quoteVolume.set([none, none]);
    panel.volume.set([400, 1]);
    expect(run(panel, [1, none], trade).cost.slippage).to.be.closeTo(10 * Math.sqrt(1 / 40), 1e-12);
  });

  it('keeps the position, marks at the last close and counts, where a bar is missing', () => {
    const row: Quote[] = [[100, 100], [100, 100], null, [120, 130], [130, 130]];
    const result = run(panelOf([row]), [1, -1, none, none, none], tradeOf());
    // the order to turn short meets no bar: 10 units stay, and the gap's move comes with the next bar
    expect(Array.from(result.equity)).to.deep.equal([1000, 1000, 1000, 1300, 1300]);
    expect(result.rejects.no_bar).to.equal(1);
    expect(result).to.include({ fills: 1, orders: 2, missingBars: 1 });
  });

  it('decides nothing on a missing bar, nor on the last bar, nor where there is no score', () => {
    const row: Quote[] = [null, [100, 100], [100, 100]];
    const result = run(panelOf([row]), [1, none, 1], tradeOf());
    expect(result).to.include({ orders: 0, fills: 0, missingBars: 1 });
  });

  it('refuses an order that breaks a constraint whole, and counts it by its reason', () => {
    const row: Quote[] = [
      [100, 100],
      [100, 100],
    ];
    const panel = panelOf([row], { quoteVolume: 5000 });
    const rejectsOf = (constraint: object) => {
      const result = run(panel, [1, none], tradeOf({ constraint }));
      expect(result.fills).to.equal(0);
      return Object.entries(result.rejects).filter(([, count]) => count > 0);
    };
    expect(rejectsOf({ max_gross: 0.99 })).to.deep.equal([['max_gross', 1]]);
    expect(rejectsOf({ max_turnover_per_step: 0.99 })).to.deep.equal([['max_turnover', 1]]);
    expect(rejectsOf({ min_notional: 1000.01 })).to.deep.equal([['min_notional', 1]]);
    expect(rejectsOf({ lot_size: 10.01 })).to.deep.equal([['lot_size', 1]]);
    expect(rejectsOf({ max_participation: 0.19 })).to.deep.equal([['participation', 1]]);
  });

  it('buys whole lots, never more than asked for', () => {
    const row: Quote[] = [
      [100, 100],
      [100, 200],
    ];
    const result = run(panelOf([row]), [1, none], tradeOf({ constraint: { lot_size: 3 } }));
    expect(result.equity[1]).to.equal(1900);
  });

  it('lets orders that shrink a position go first, so that a full book can turn over', () => {
    const flat: Quote[] = [
      [100, 100],
      [100, 100],
      [100, 100],
    ];
    const scores = [0, 1, none, 1, 0, none];
    const trade = tradeOf({ constraint: { max_gross: 1 } });
    const result = run(panelOf([flat, flat]), scores, trade);
    expect(Array.from(result.weights)).to.deep.equal([0, 0, 1, 0, 1, 0]);
    expect(result.fills).to.equal(3);
  });

  it('is flat for good after the drawdown stop, at the open after the close that showed it', () => {
    const row: Quote[] = [
      [100, 100],
      [100, 79],
      [78, 78],
      [78, 500],
      ...Array(30).fill([500, 500]),
    ];
    const scores = row.map(() => 1);
    const result = run(panelOf([row]), scores, tradeOf({ risk: { max_drawdown: 0.2 } }));
    expect(result.stopped).to.deep.equal({ drawdownAtMs: newYear + 2 * hourMs, dailyLossDays: 0 });
    expect(Array.from(result.equity.slice(0, 4))).to.deep.equal([1000, 790, 780, 780]);
    expect(result.equity.at(-1)).to.equal(780);
    // every bar from the first flat one to the last but one asked again
    expect(result.rejects.risk_stop).to.equal(row.length - 3);
  });

  it('is flat after a daily loss until the next UTC day has shown its first close', () => {
    const row: Quote[] = Array.from({ length: 30 }, () => [100, 100] as const);
    row[3] = [100, 95];
    row[4] = [95, 100];
    const result = run(
      panelOf([row]),
      row.map(() => 1),
      tradeOf({ risk: { daily_loss: 0.04 } }),
    );
    const held = Array.from(result.weights, (w) => (w === 0 ? 0 : 1));
    // stopped at the close of bar 3, out at the open of bar 4; bar 24 opens the new day, bar 25 fills
    expect(held.slice(0, 5)).to.deep.equal([0, 1, 1, 1, 0]);
    expect(held.indexOf(1, 4)).to.equal(25);
    expect(result.stopped).to.deep.equal({ drawdownAtMs: null, dailyLossDays: 1 });
  });

  it('sends a stop again until there is a market, and no constraint can hold it', () => {
    const row: Quote[] = [[100, 100], [100, 50], null, [50, 50], [40, 40], [40, 40]];
    const panel = panelOf([row]);
    panel.quoteVolume[3] = 0;
    const trade = tradeOf({ risk: { max_drawdown: 0.2 }, constraint: { min_notional: 900 } });
    const result = run(panel, [1, none, none, none, none, none], trade);
    // decided at bar 1, no bar 2; none known at 2; no volume at 3; decided at 4, filled at 5
    expect(result.rejects).to.include({ no_bar: 1, participation: 1, min_notional: 0 });
    expect(Array.from(result.weights, (w) => Math.sign(w))).to.deep.equal([0, 1, 1, 1, 1, 0]);
  });

  it('charges funding at 00, 08 and 16 UTC to what was held into it; shorts receive it', () => {
    const row: Quote[] = Array.from({ length: 4 }, () => [100, 100] as const);
    const startMs = newYear + 5 * hourMs;
    const panel = panelOf([row], { startMs });
    const fundingOf = (score: number) => {
      const scores = [score, none, none, none];
      return run(panel, scores, tradeOf({ cost: { funding_bps_8h: 10 } })).cost.funding;
    };
    // bars 05-06, 06-07, 07-08, 08-09: only the third ends at a funding time
    expect(fundingOf(1)).to.be.closeTo(1, 1e-12);
    expect(fundingOf(-1)).to.be.closeTo(-1, 1e-12);
    const daily = panelOf([row], { timeframeMs: dayMs });
    const trade = tradeOf({ cost: { funding_bps_8h: 10 } });
    expect(run(daily, [1, none, none, none], trade).cost.funding).to.be.closeTo(9, 1e-12);
  });

  it('closes a ruined book at the mark and leaves it empty', () => {
    const row: Quote[] = [
      [100, 100],
      [100, 201],
      [100, 50],
      [50, 50],
    ];
    const result = run(panelOf([row]), [-1, -1, -1, -1], tradeOf());
    expect(Array.from(result.equity)).to.deep.equal([1000, -10, -10, -10]);
    expect(Array.from(result.weights)).to.deep.equal([0, 0, 0, 0]);
    expect(result.stopped.drawdownAtMs).to.equal(newYear + 2 * hourMs);
  });

  it('covers exactly the bars that open in [fromMs, toMs)', () => {
    const row: Quote[] = Array.from({ length: 5 }, () => [100, 100] as const);
    const result = runBacktest({
      panel: panelOf([row]),
      scores: new Float64Array(5),
      fromMs: newYear + hourMs,
      toMs: newYear + 4 * hourMs,
      trade: tradeOf(),
    });
    expect(result.closeMs[0]).to.equal(newYear + 2 * hourMs);
    expect(result.closeMs.length).to.equal(3);
  });

  it('refuses what it cannot compute with', () => {
    const panel = panelOf([
      [
        [100, 100],
        [100, 100],
        [100, 100],
      ],
    ]);
    const scores = Float64Array.of(1, none, none);
    const input = { panel, scores, trade: tradeOf(), ...always };
    const codeOf = (changes: Partial<BacktestInput>) => {
      try {
        runBacktest({ ...input, ...changes });
      } catch (error) {
        return (error as SluiceError).code;
      }
      return 'nothing';
    };
    expect(codeOf({})).to.equal('nothing');
    expect(codeOf({ scores: new Float64Array(2) })).to.equal('length_mismatch');
    expect(codeOf({ scores: Float64Array.of(Number.POSITIVE_INFINITY, 0, 0) })).to.equal(
      'non_finite',
    );
    expect(codeOf({ fromMs: Number.NaN })).to.equal('non_finite');
    expect(codeOf({ fromMs: newYear + dayMs })).to.equal('out_of_range');
    const shuffled = Float64Array.of(newYear, newYear, newYear + hourMs);
    expect(codeOf({ panel: { ...panel, openMs: shuffled } })).to.equal('unordered_time');
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const open = Float64Array.of(100, bad, 100);
      expect(codeOf({ panel: { ...panel, open } })).to.equal('non_finite');
    }
    const close = Float64Array.of(100, Number.POSITIVE_INFINITY, 100);
    expect(codeOf({ panel: { ...panel, close } })).to.equal('non_finite');
    expect(codeOf({ panel: { ...panel, close: Float64Array.of(0, 100, 100) } })).to.equal(
      'non_finite',
    );
  });
});
