import { expect } from 'chai';
import { dayMs } from '../../../core/index.ts';
import { evaluate, type Task } from '../../../hpo/objective/index.ts';
import type { TrialOrder } from '../../../hpo/run/index.ts';
import type { Json } from '../../../hpo/study/index.ts';
import { type TrialMarket, windowSamples } from '../../../training/retrain/index.ts';
import { smallConfig } from '../../training/retrain/smallConfig.ts';
import { storedMarket } from './simulatedStore.ts';

describe('hpo objective: a trial', function () {
  this.timeout(60_000);
  const weights = { max_drawdown: 0.5, reject_rate: 0.5, turnover: 0.01 };
  const eager = { 'trade.sizing.entry_score': 0.001, 'trade.sizing.exit_frac_of_entry': 0.5 };
  let market: TrialMarket;
  let remove: () => void;
  before(async () => {
    ({ market, remove } = await storedMarket(smallConfig()));
  });
  after(() => remove());

  const task = (change: Partial<Task> = {}): Task =>
    ({
      kind: 'walk_forward',
      policy: 'tabular_only',
      base: market.config,
      store: market.bars.store,
      symbols: market.bars.symbols.slice(0, 1),
      weights,
      window: { from: market.windows.search.to - 80 * dayMs, to: market.windows.search.to },
      folds: 3,
      ...change,
    }) as Task;
  const order = (change: Partial<TrialOrder> = {}): TrialOrder => ({
    studyName: 'test',
    number: 0,
    params: { 'gbdt.leaves': 5, ...eager },
    task: task() as unknown as Json,
    threads: 1,
    ...change,
  });

  it('reports after each fold, the last time its value, and keeps every term', async () => {
    const { values, reports, userAttributes, failure, constraints } = await evaluate(order());
    expect(failure).to.equal(null);
    expect(reports.map(([step]) => step)).to.deep.equal([1, 2, 3]);
    expect(reports[2]![1]).to.equal(values![0]);
    const terms = userAttributes as Record<string, number>;
    const { max_drawdown, reject_rate, turnover } = weights;
    const penalty =
      max_drawdown * terms.max_drawdown! +
      reject_rate * terms.reject_rate! +
      turnover * terms.turnover!;
    expect(values![0]).to.be.closeTo(terms.pnl_per_year_frac! - penalty, 1e-12);
    expect(terms.turnover).to.be.above(0);
    expect(constraints).to.deep.equal({ no_trade: 0 });
  });

  it('is the same for any number of threads, however often, and another for other parameters', async () => {
    const first = await evaluate(order());
    expect(await evaluate(order({ threads: 2 }))).to.deep.equal(first);
    const params = { 'gbdt.leaves': 3, ...eager };
    expect((await evaluate(order({ params }))).values).to.not.deep.equal(first.values);
  });

  it('ends where the watch says so, with the terms so far', async () => {
    const told: [number, number][] = [];
    const outcome = await evaluate(order(), {
      report: async (step, value) => told.push([step, value]) === 2,
    });
    expect(told.map(([step]) => step)).to.deep.equal([1, 2]);
    expect(outcome.reports).to.deep.equal(told);
    expect([outcome.pruned, outcome.values]).to.deep.equal([true, null]);
    expect(outcome.userAttributes).to.include.keys('pnl_after_cost', 'max_drawdown');
  });

  it('is not feasible if it never trades: doing nothing would beat every honest loss', async () => {
    const params = { 'trade.sizing.entry_score': 1000, 'trade.sizing.exit_frac_of_entry': 0 };
    const { values, constraints, reports } = await evaluate(order({ params }));
    expect(values).to.deep.equal([0]);
    expect(constraints).to.deep.equal({ no_trade: 1 });
    expect(reports).to.deep.equal([1, 2, 3].map((step) => [step, Number.NaN]));
  });

  it('says in a sentence what it could not evaluate', async () => {
    const short = { from: market.windows.search.to - 1, to: market.windows.search.to };
    const refused = await evaluate(order({ task: task({ window: short }) as unknown as Json }));
    expect(refused.values).to.equal(null);
    expect(refused.failure).to.match(/\[out_of_range\]$/);
    const bad = await evaluate(order({ params: { 'gbdt.leaves': 1 } }));
    expect(bad.failure)
      .to.contain('gbdt.leaves')
      .and.to.match(/\[config_invalid\]$/);
    expect((await evaluate(order({ task: {} }))).failure).to.match(/\[input_invalid\]$/);
  });

  it('reads no bar that opens after its window, and no row whose label reaches out of it', async () => {
    const { from, to } = market.windows.search;
    const window = { from: from + 20 * dayMs, to: to - 20 * dayMs };
    const { dataset, rows } = await windowSamples(market.config, market.bars, window);
    expect(dataset.panel.openMs.at(-1)).to.equal(window.to);
    expect(rows.length).to.be.above(1000);
    expect(Math.min(...Array.from(rows, (row) => dataset.t0[row]!))).to.equal(window.from);
    expect(Math.max(...Array.from(rows, (row) => dataset.t1[row]!))).to.equal(window.to);
  });

  it('of forward confirmation has both windows, its constraints and the regime of simulated data', async () => {
    const confirm = {
      kind: 'confirm',
      policy: 'tabular_only',
      base: market.config,
      weights,
      ...market.bars,
    };
    const outcome = await evaluate(order({ task: confirm as unknown as Json }));
    expect(outcome.failure).to.equal(null);
    const found = outcome.userAttributes as unknown as {
      validation: { value: number; pnl_after_cost: number };
      forward_oos: { from: number; to: number; daily_returns: number[] };
      pnl_after_cost: number;
      data_regime: string;
    };
    expect(found.data_regime).to.equal('mixed');
    expect(outcome.reports).to.deep.equal([[1, found.validation.value]]);
    expect(found.forward_oos.from).to.be.above(market.windows.validation.to);
    const losses = [found.pnl_after_cost, found.validation.pnl_after_cost].filter((x) => x <= 0);
    expect(outcome.constraints!.windows_without_profit).to.equal(losses.length);
  });
});
