import { expect } from 'chai';
import type { SluiceError } from '../../../core/index.ts';
import { type Database, gateCandidates, openDatabase } from '../../../data/store/index.ts';
import {
  deflatedSharpeOf,
  type Plan,
  planSearch,
  registerCandidate,
  studyName,
} from '../../../hpo/stages/index.ts';
import { keepPlan } from '../../../hpo/stages/plan.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import type { Json, Storage, TrialDraft } from '../../../hpo/study/index.ts';
import { liveAttributes, madeMarket, madeStudy, madeTrial, searchConfig } from './records.ts';

const clock = () => Date.UTC(2026, 0, 31);

describe('hpo stages: the door of the registry', function () {
  this.timeout(30_000);
  let db: Database;
  let storage: Storage;
  let plan: Plan;
  let searches = 0;
  before(async () => {
    db = await openDatabase({ folder: null, clock });
  });
  after(() => db.close());
  beforeEach(() => {
    storage = openMemoryStorage();
    searches += 1; // a market of its own for each test
    const market = madeMarket({ market: `market ${searches}` });
    plan = planSearch({ config: searchConfig(), market, seed: 1, deterministic: true });
  });

  /** A trial in each stage, each taking up the one before. @returns number in the last stage */
  async function search(
    change: {
      readonly stages?: readonly Partial<TrialDraft & { gain: number }>[];
      readonly skip?: number;
      readonly lineage?: string;
    } = {},
  ): Promise<number> {
    const names = (['coarse', 'refine', 'confirm'] as const).map((stage) => studyName(plan, stage));
    let number = 0;
    for (const [at, name] of names.entries()) {
      const lineageId = at === 1 ? (change.lineage ?? plan.lineage_id) : plan.lineage_id;
      const parent = at === 0 ? null : names[at - 1]!;
      const id = await madeStudy(storage, name, { lineageId, stage: at + 1, parent });
      if (at === 0) await keepPlan(storage, id, plan);
      const live = at === 2 ? { userAttributes: liveAttributes() } : {};
      // a trial before it, so that numbers differ from stage to stage
      for (let other = 0; other < at; other += 1) await storage.addTrial(id, madeTrial());
      const made = await storage.addTrial(id, madeTrial({ ...live, ...change.stages?.[at] }));
      if (at > 0 && change.skip !== at) {
        await storage.setProvenance(id, made.number, {
          parent: { studyName: names[at - 1]!, number },
          evidence: {},
        });
      }
      number = made.number;
    }
    return number;
  }

  const register = (number: number, study = studyName(plan, 'confirm')) =>
    registerCandidate({ db, storage, studyName: study, number, clock });

  async function refusal(number: number, study?: string): Promise<string> {
    try {
      await register(number, study);
    } catch (error) {
      expect((error as SluiceError).code).to.equal('database_refused');
      expect(await gateCandidates(db, plan.market)).to.deep.equal([]);
      return (error as SluiceError).message;
    }
    throw new Error('it was registered');
  }

  it('opens for a trial that came through all three stages, once', async () => {
    const row = await register(await search());
    expect(row.stages.map(({ study_name, number }) => [study_name, number])).to.deep.equal([
      [studyName(plan, 'coarse'), 0],
      [studyName(plan, 'refine'), 1],
      [studyName(plan, 'confirm'), 2],
    ]);
    expect(row.config).to.have.nested.property('trade.sizing.gain', 2);
    expect(row.trial_count).to.equal(6);
    await register(2);
    const stored = await gateCandidates(db, plan.market);
    expect(stored).to.have.length(1);
    expect(stored[0]).to.deep.equal(row);
  });

  it('counts every trial ever made in the lineage, and a deleted study lowers nothing', async () => {
    const number = await search();
    const id = await madeStudy(storage, 'an earlier search', {
      lineageId: plan.lineage_id,
      stage: 1,
      parent: null,
    });
    for (let n = 0; n < 10; n += 1)
      await storage.addTrial(id, madeTrial({ state: 'FAIL', values: null }));
    await storage.deleteStudy(id);
    const { trial_count: count, evidence } = await register(number);
    expect(count).to.equal(16);
    const returns = [0.01, -0.004, 0.006, 0.002];
    expect(evidence.dsr_2014_v1).to.equal(deflatedSharpeOf(returns, 16));
    expect(evidence.dsr_2014_v1).to.be.below(deflatedSharpeOf(returns, 6)!);
  });

  it('is closed to a trial that skipped a stage', async () => {
    expect(await refusal(await search({ skip: 2 }))).to.contain('it skipped stage 2');
  });
  it('is closed to a trial whose trial in stage 2 skipped stage 1', async () => {
    expect(await refusal(await search({ skip: 1 }))).to.contain('it skipped stage 1');
  });
  it('is closed to a trial of an earlier stage', async () => {
    await search();
    const message = await refusal(1, studyName(plan, 'refine'));
    expect(message).to.contain('is of stage 2').and.to.contain('regime unknown');
  });

  const closed: readonly [string, Parameters<typeof search>[0], string][] = [
    ['was pruned in a stage', { stages: [{}, { state: 'PRUNED' }] }, 'is PRUNED, not COMPLETE'],
    ['failed in a stage', { stages: [{ state: 'FAIL', values: null }] }, 'is FAIL, not COMPLETE'],
    ['had other parameters', { stages: [{ gain: 3 }] }, 'has other parameters'],
    ['has an ancestor elsewhere', { lineage: 'other' }, 'is of another lineage'],
    [
      'breaks a constraint',
      {
        stages: [
          {},
          {},
          {
            userAttributes: liveAttributes(),
            systemAttributes: new Map<string, Json>([['constraints', [0.5]]]),
          },
        ],
      },
      'breaks a constraint',
    ],
    [
      'rests on simulated data',
      { stages: [{}, {}, { userAttributes: liveAttributes('mixed') }] },
      'of the regime mixed, not prod_live',
    ],
  ];
  for (const [name, change, reason] of closed) {
    it(`is closed to a trial that ${name}`, async () => {
      expect(await refusal(await search(change))).to.contain(reason);
    });
  }

  it('names every reason at once', async () => {
    const stages = [{ gain: 3 }, { state: 'PRUNED' as const }];
    const message = await refusal(await search({ stages }));
    expect(message).to.contain('is PRUNED').and.to.contain('has other parameters');
  });
});
