import { expect } from 'chai';
import type { RunRecord } from '../../../core/index.ts';
import {
  type Database,
  findVerdict,
  finishedRuns,
  openDatabase,
  recordRuns,
  saveVerdict,
  tallyRuns,
} from '../../../data/store/index.ts';
import {
  type GateStore,
  gate,
  judgeRuns,
  recomputeVerdict,
} from '../../../serving/release/index.ts';
import { makeRun, returnsOf, successive } from './records.ts';

const clock = () => 1_700_000_000_000;
const sharpe3 = returnsOf(360, 0.03 / Math.sqrt(365), 0.01);

describe('the gate command, on a store', () => {
  let db: Database;
  let store: GateStore;
  before(async () => {
    db = await openDatabase({ folder: null, clock });
    store = {
      finishedRuns: (labels) => finishedRuns(db, labels),
      tallyRuns: () => tallyRuns(db),
      saveVerdict: (verdict, at) => saveVerdict(db, verdict, at),
    };
  });
  after(() => db?.close());

  const command = (options = {}) => gate({ policy: 'tabular_only', ...options }, store, clock);
  const smoke = successive(3, sharpe3).map(
    (run): RunRecord => ({ ...run, run_id: `smoke-${run.run_id}`, run_source: 'smoke' }),
  );

  it('ends with 4 before there is any evidence, smoke runs notwithstanding', async () => {
    await recordRuns(db, smoke);
    const { exit, json, text } = await command();
    expect(exit).to.equal(4);
    expect(json.status).to.equal('insufficient_observation');
    expect(json.counts).to.deep.include({ recorded_runs: 3, completed_runs: 0 });
    expect(text).to.contain('set aside: 3 run_source').and.contain('90 more days');
  });

  it('ends with 0 on enough good evidence', async () => {
    await recordRuns(db, successive(3, sharpe3));
    const { exit, text } = await command();
    expect(text).to.match(/^gate: pass/);
    expect(exit).to.equal(0);
  });

  it('prints what the contract promises, with the id of the stored verdict', async () => {
    const { json } = await command();
    for (const key of ['status', 'data_regime', 'filters', 'counts', 'metrics', 'needs']) {
      expect(json).to.have.property(key);
    }
    expect(json.reasons).to.deep.equal([]);
    expect(json.run_ids).to.deep.equal(['run-0', 'run-1', 'run-2']);
    const { verdict_id: id, ...verdict } = json;
    expect((await findVerdict(db, String(id)))?.verdict).to.deep.equal(verdict);
  });

  it('takes its requirements from the options', async () => {
    const { exit, json } = await command({ minCompletedRuns: 4, minObservationDays: 401 });
    expect(exit).to.equal(4);
    expect(json.reasons).to.deep.equal([
      'completed_runs: 3 of 4; 1 more completed run needed',
      'observation_days: 360 of 401; 41 more days needed',
    ]);
  });

  it('judges one artifact alone if told its digest', async () => {
    expect((await command({ artifact: 'artifact-1' })).exit).to.equal(0);
    const { exit, json } = await command({ artifact: 'artifact-2' });
    expect(exit).to.equal(4);
    expect(json.counts).to.deep.include({ completed_runs: 0 });
  });

  it('never ends with 0 under monitoring filters', async () => {
    const { exit, json } = await command({ includeSource: ['prod', 'smoke'] });
    expect(exit).to.equal(4);
    expect(json.filters).to.deep.include({ include_sources: ['prod', 'smoke'] });
    // the smoke runs repeat the config, data and artifact of the prod runs
    expect(json.counts).to.have.nested.property('set_aside.duplicate', 3);
    expect((await command({ dataRegime: 'mixed' })).exit).to.equal(4);
  });

  it('says of all runs at hand what it says of those that a store chose', async () => {
    const { json } = await command();
    const { verdict_id: _, ...verdict } = json;
    expect(judgeRuns(await finishedRuns(db), { policy: 'tabular_only' })).to.deep.equal(verdict);
  });

  it('says the same verdict again from its run ids, though runs were added since', async () => {
    const { json } = await command();
    const stored = (await findVerdict(db, String(json.verdict_id)))!.verdict;
    await recordRuns(db, [makeRun({ runId: 'late', returns: [-0.4, -0.4], firstDay: 19_500 })]);
    const readRuns = (runIds: readonly string[]) => finishedRuns(db, { runIds });
    const again = await recomputeVerdict(stored, readRuns);
    expect(again.agrees).to.equal(true);
    expect(again.verdict.status).to.equal('pass');
    const doctored = { ...stored, metrics: { ...again.verdict.metrics, sharpe_daily: 4 } };
    expect((await recomputeVerdict(doctored, readRuns)).agrees).to.equal(false);
    expect((await recomputeVerdict(stored, async () => [])).agrees).to.equal(false);
  });

  it('ends with 3 once the evidence breaks a limit', async () => {
    const { exit, json } = await command();
    expect(exit).to.equal(3);
    expect(String(json.reasons)).to.match(/max_drawdown: 0\.6\d+, at most 0\.25 is allowed/);
  });
});
