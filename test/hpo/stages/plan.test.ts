import { expect } from 'chai';
import { dayMs, SluiceError } from '../../../core/index.ts';
import { findPlan, planSearch, studyName, withTrials } from '../../../hpo/stages/index.ts';
import { keepPlan, taskOf } from '../../../hpo/stages/plan.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import { windowSamples } from '../../../training/retrain/index.ts';
import { smallConfig } from '../../training/retrain/smallConfig.ts';
import { storedMarket } from '../objective/simulatedStore.ts';
import { madeMarket, searchConfig } from './records.ts';

describe('hpo stages: the plan', function () {
  this.timeout(30_000);
  const config = searchConfig();
  const plan = planSearch({ config, market: madeMarket(), seed: 1, deterministic: false });

  it('puts coarse before refine and both inside the search span, an embargo apart', () => {
    // 1000 days: refine is the last 600, coarse the 300 that end more than a day before them
    expect(plan.windows).to.deep.equal({
      coarse: { from: 99 * dayMs - 1, to: 399 * dayMs - 1 },
      refine: { from: 400 * dayMs, to: 1000 * dayMs },
      forward_oos: { from: 1301 * dayMs, to: 1600 * dayMs },
    });
  });

  it('gives stages rows of which no label of one comes within the embargo of another', async () => {
    const { market, remove } = await storedMarket(smallConfig());
    try {
      const { windows } = planSearch({ config, market, seed: 1, deterministic: false });
      const [coarse, refine] = await Promise.all(
        [windows.coarse, windows.refine].map(async (window) => {
          const { dataset, rows } = await windowSamples(market.config, market.bars, window);
          return {
            from: Math.min(...Array.from(rows, (row) => dataset.t0[row]!)),
            to: Math.max(...Array.from(rows, (row) => dataset.t1[row]!)),
          };
        }),
      );
      expect(coarse!.from).to.be.at.least(market.windows.search.from);
      expect(refine!.from - coarse!.to).to.be.above(market.embargoMs);
      expect(market.windows.validation.from - refine!.to).to.be.above(market.embargoMs);
    } finally {
      remove();
    }
  });

  it('refuses windows that leave no room for the embargo', () => {
    const full = { ...config, coarse: { ...config.coarse, span_frac: 0.4 } };
    expect(() => planSearch({ config: full, market: madeMarket(), seed: 1, deterministic: false }))
      .to.throw(SluiceError, 'leave no room for the embargo of 1 days')
      .with.property('code', 'out_of_range');
  });

  it('has studies of its own for another seed, config or data, and one lineage for one market', () => {
    const other = (change: object, market = madeMarket()) =>
      planSearch({ config, market, seed: 1, deterministic: false, ...change });
    const plans = [
      plan,
      other({ seed: 2 }),
      other({ deterministic: true }),
      other({ config: withTrials(config, 9) }),
      other({}, madeMarket({ dataVersion: 'e'.repeat(64) })),
    ];
    expect(new Set(plans.map((one) => studyName(one, 'refine'))).size).to.equal(plans.length);
    expect(new Set(plans.map((one) => one.lineage_id)).size).to.equal(1);
    expect(other({}, madeMarket({ market: 'another' })).lineage_id).to.not.equal(plan.lineage_id);
  });

  it('shares a number of trials out between the first two stages', () => {
    for (const trials of [2, 3, 13, 130, 1000]) {
      const { coarse, refine } = withTrials(config, trials);
      expect(coarse.trials + refine.trials).to.equal(trials);
      expect(Math.min(coarse.trials, refine.trials)).to.be.above(0);
    }
    expect(withTrials(config, 150).coarse.trials).to.equal(100);
  });

  it('tells search stages of no day outside of their window, and one symbol to the first', () => {
    const coarse = taskOf(plan, 'coarse');
    expect(coarse).to.deep.include({ kind: 'walk_forward', symbols: ['BTCUSDT'] });
    expect(coarse).to.have.deep.property('window', plan.windows.coarse);
    expect(taskOf(plan, 'confirm')).to.deep.include({ kind: 'confirm', symbols: plan.symbols });
  });

  it('is found again by any of its studies, and the newest without a name', async () => {
    const storage = openMemoryStorage();
    const later = { ...plan, search_digest: 'f'.repeat(64) };
    for (const one of [plan, later]) {
      const { id } = await storage.createStudy(studyName(one, 'coarse'), ['MAXIMIZE']);
      await keepPlan(storage, id, one);
    }
    expect(await findPlan(storage)).to.deep.equal(later);
    expect(await findPlan(storage, studyName(plan, 'confirm'))).to.deep.equal(plan);
    try {
      await findPlan(storage, 'nobody');
      expect.fail('found');
    } catch (error) {
      expect((error as SluiceError).code).to.equal('input_missing');
      expect((error as Error).message).to.contain(studyName(plan, 'coarse'));
    }
  });
});
