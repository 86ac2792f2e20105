// Trials of networks, asked for one by one and as a batch.

import { expect } from 'chai';
import { dayMs } from '../../../core/index.ts';
import { evaluate, evaluateBatch, type Task } from '../../../hpo/objective/index.ts';
import type { TrialOrder } from '../../../hpo/run/index.ts';
import type { Json, ParamValue } from '../../../hpo/study/index.ts';
import type { TrialMarket } from '../../../training/retrain/index.ts';
import { neuralConfig } from '../../training/retrain/smallConfig.ts';
import { storedMarket } from './simulatedStore.ts';

describe('hpo objective: trials of networks', function () {
  this.timeout(60_000);
  const weights = { max_drawdown: 0.5, reject_rate: 0.5, turnover: 0.01 };
  const eager = { 'trade.sizing.entry_score': 0.0005, 'trade.sizing.exit_frac_of_entry': 0.5 };
  const params: Readonly<Record<string, ParamValue>>[] = [
    { 'tsmixer.learning_rate': 0.01, 'tsmixer.teacher_lambda': 0 },
    { 'tsmixer.learning_rate': 0.003, 'tsmixer.teacher_lambda': 1, 'tsmixer.dropout': 0.1 },
    { 'tsmixer.hidden': 6, 'tsmixer.teacher_lambda': 0 },
  ].map((own) => ({ ...own, ...eager }));
  let market: TrialMarket;
  let remove: () => void;
  let orders: TrialOrder[];
  before(async () => {
    ({ market, remove } = await storedMarket(neuralConfig()));
    const { to } = market.windows.search;
    orders = ordersOf({ kind: 'walk_forward', window: { from: to - 80 * dayMs, to }, folds: 2 });
  });
  after(() => remove());

  const ordersOf = (stage: object): TrialOrder[] => {
    const { config: base, bars } = market;
    const task = { policy: 'nn_only', base, ...bars, weights, ...stage } as Task;
    return params.map((own, number) => ({
      ...{ studyName: 'test', number, params: own, threads: 1 },
      task: task as unknown as Json,
    }));
  };

  it('come to the same one by one and as a batch, for any number of threads, each to its own', async () => {
    const batch = await evaluateBatch(orders);
    expect(batch.map(({ failure }) => failure)).to.deep.equal([null, null, null]);
    for (const [k, order] of orders.entries()) {
      expect(await evaluate({ ...order, threads: 2 })).to.deep.equal(batch[k]);
      expect(batch[k]!.reports.map(([step]) => step)).to.deep.equal([1, 2]);
      expect(batch[k]!.constraints).to.deep.equal({ no_trade: 0 });
      expect(batch[k]!.userAttributes.engine).to.match(/^native /);
    }
    expect(new Set(batch.map(({ values }) => values![0])).size).to.equal(3);
  });

  it('end one by one where their watches say so', async () => {
    const whole = await evaluateBatch(orders);
    const told: number[] = [];
    const watchOf = (number: number) => ({
      report: async () => {
        told.push(number);
        return number === 1;
      },
    });
    const batch = await evaluateBatch(orders, watchOf);
    expect(told.sort()).to.deep.equal([0, 1, 2]);
    expect([batch[0], batch[2]]).to.deep.equal([whole[0], whole[2]]);
    expect([batch[1]!.pruned, batch[1]!.values]).to.deep.equal([true, null]);
    expect(batch[1]!.reports).to.deep.equal(whole[1]!.reports.slice(0, 1));
  });

  it('fail alone for parameters that no retrain takes, together for a task that none can do', async () => {
    const whole = await evaluateBatch(orders);
    const bad = { ...orders[1]!, params: { ...params[1]!, 'tsmixer.hidden': 0 } };
    const batch = await evaluateBatch([orders[0]!, bad, orders[2]!]);
    expect(batch[1]!.failure)
      .to.contain('tsmixer.hidden')
      .and.to.match(/\[config_invalid\]$/);
    expect([batch[0], batch[2]]).to.deep.equal([whole[0], whole[2]]);
    const { to } = market.windows.search;
    const short = { kind: 'walk_forward', window: { from: to - 1, to }, folds: 2 };
    for (const { failure } of await evaluateBatch(ordersOf(short))) {
      expect(failure).to.match(/\[out_of_range\]$/);
    }
  });

  it('are confirmed on both windows, and say how long the network was trained', async () => {
    const [first, second] = await evaluateBatch(ordersOf({ kind: 'confirm' }).slice(0, 2));
    for (const outcome of [first!, second!]) {
      expect(outcome.failure).to.equal(null);
      expect(outcome.userAttributes).to.include({ data_regime: 'mixed' });
      expect(outcome.userAttributes.epochs).to.be.within(1, 3);
      expect(Object.keys(outcome.constraints!)).to.have.length(3);
    }
    expect(first!.values).to.not.deep.equal(second!.values);
  });
});
