// What every database must do, whichever engine is behind it.

import { expect } from 'chai';
import { canonicalJson, type RunRecord } from '../../../core/index.ts';
import {
  countOosTouches,
  countSearchTrials,
  type Database,
  findModel,
  findPrediction,
  findVerdict,
  finishedRuns,
  gateCandidates,
  latestModel,
  latestVerdicts,
  listDatasets,
  recordDataset,
  recordGateCandidate,
  recordModel,
  recordOosTouch,
  recordPredictions,
  recordRetrain,
  recordRuns,
  recordSearchTrials,
  saveVerdict,
  tallyRuns,
} from '../../../data/store/index.ts';
import { type Migration, migrate } from '../../../data/store/migrate.ts';
import { failure } from './failure.ts';
import {
  makeCandidate,
  makeDataset,
  makeModel,
  makePrediction,
  makeRun,
  makeTouch,
  makeVerdict,
  unique,
} from './records.ts';

const clock = () => 1_700_000_000_000;

/** Declares the suite; `open` gives a database with fresh tables, once. */
export function conformance(name: string, open: () => Promise<Database>): void {
  describe(`a database: ${name}`, () => {
    let db: Database;
    before(async () => {
      db = await open();
    });
    after(() => db?.close());

    const runsOf = (...runs: RunRecord[]) =>
      finishedRuns(db, { runIds: runs.map((run) => run.run_id) });

    describe('runs', () => {
      it('gives back exactly what was recorded, oldest first', async () => {
        const late = makeRun({ finished_at: 1_700_000_009_000 });
        const failed = makeRun({ status: 'failed', metrics: null, artifact_digest: null });
        await recordRuns(db, [late, failed]);
        expect(canonicalJson(await runsOf(late, failed))).to.equal(canonicalJson([failed, late]));
      });

      it('takes no run that has not ended, and none with a number that JSON cannot say', async () => {
        const running = makeRun({ status: 'running', metrics: null, finished_at: null });
        expect((await failure(recordRuns(db, [running]))).code).to.equal('input_invalid');
        const run = makeRun();
        const broken = makeRun({ metrics: { ...run.metrics!, sharpe_daily: Number.NaN } });
        expect((await failure(recordRuns(db, [run, broken]))).code).to.equal('input_invalid');
        const odd = makeRun({ config: { ...run.config, x: Number.POSITIVE_INFINITY } });
        expect((await failure(recordRuns(db, [run, odd]))).code).to.equal('not_canonical');
        expect((await failure(recordRuns(db, [makeRun({ started_at: 0.5 })]))).code).to.equal(
          'out_of_range',
        );
        expect(await runsOf(run)).to.deep.equal([]);
      });

      it('takes all runs of a call or none', async () => {
        const [first, second] = [makeRun(), makeRun()];
        await recordRuns(db, [second]);
        const error = await failure(recordRuns(db, [first, second]));
        expect(error.code).to.equal('database_refused');
        expect(error.message).to.contain('backtest_runs_pkey');
        expect(await runsOf(first)).to.deep.equal([]);
      });

      it('refuses, in the database itself, labels and states that do not exist', async () => {
        const run = makeRun();
        const wrong: readonly (readonly [string, string])[] = [
          ['run_source', `'production'`],
          ['score_source', `'manual'`],
          ['data_regime', `'live'`],
          ['status', `'done'`],
          ['metrics', 'NULL'],
          ['metrics', `metrics || '{"sharpe_method":"step_raw"}'`],
          ['metrics', `metrics - 'sharpe_daily'`],
          ['metrics', `metrics - 'sharpe_method'`],
          ['config', `config - 'trial_count'`],
          ['config', `config || '{"data_regime":"mixed"}'`],
          ['finished_at', 'NULL'],
          ['finished_at', `started_at - interval '1 second'`],
        ];
        await recordRuns(db, [run]);
        for (const [column, value] of wrong) {
          const select = ['run_id', 'run_source', 'score_source', 'data_regime', 'status', 'config']
            .concat('metrics', 'lineage_id', 'artifact_digest', 'started_at', 'finished_at')
            .map((each) => (each === column ? value : each === 'run_id' ? `run_id || '-x'` : each));
          const copy = db.query(
            `INSERT INTO backtest_runs SELECT ${select.join(', ')} FROM backtest_runs WHERE run_id = $1`,
            [run.run_id],
          );
          expect((await failure(copy)).code, `${column} = ${value}`).to.equal('database_refused');
        }
        expect(await runsOf({ ...run, run_id: `${run.run_id}-x` })).to.deep.equal([]);
      });

      it('keeps finished runs, verdicts and touches as they are', async () => {
        const run = makeRun();
        await recordRuns(db, [run]);
        await saveVerdict(db, makeVerdict(), 1);
        await recordOosTouch(db, makeTouch());
        for (const statement of [
          `UPDATE backtest_runs SET run_source = 'prod'`,
          `UPDATE backtest_runs SET metrics = metrics WHERE run_id = '${run.run_id}'`,
          'DELETE FROM backtest_runs',
          'TRUNCATE backtest_runs',
          `UPDATE gate_verdicts SET status = 'pass'`,
          'DELETE FROM gate_verdicts',
          'TRUNCATE gate_verdicts',
          'DELETE FROM oos_touches',
          'TRUNCATE oos_touches',
        ]) {
          const error = await failure(db.query(statement));
          expect(error.code, statement).to.equal('database_refused');
          expect(error.message).to.contain('immutable');
        }
        expect(canonicalJson(await runsOf(run))).to.equal(canonicalJson([run]));
      });

      it('reads by labels what the same filter finds among all', async () => {
        const artifact = unique('artifact');
        const runs = (['prod', 'maintenance', 'smoke', 'async_test'] as const).flatMap(
          (run_source) =>
            (['model', 'heuristic', 'fallback'] as const).flatMap((score_source) =>
              (['prod_live', 'maintenance_replay', 'mixed'] as const).map((data_regime) =>
                makeRun({ run_source, score_source, data_regime, artifact_digest: artifact }),
              ),
            ),
        );
        await recordRuns(db, runs);
        const found = await finishedRuns(db, {
          runSources: ['prod', 'smoke'],
          scoreSources: ['model'],
          dataRegimes: ['prod_live', 'mixed'],
          statuses: ['completed'],
          policies: ['tabular_only'],
          artifactDigests: [artifact],
        });
        const expected = runs.filter(
          (run) =>
            ['prod', 'smoke'].includes(run.run_source) &&
            run.score_source === 'model' &&
            run.data_regime !== 'maintenance_replay',
        );
        expect(found.map((run) => run.run_id)).to.have.members(expected.map((run) => run.run_id));
        expect(await finishedRuns(db, { artifactDigests: [artifact], policies: ['nn_only'] })).to.be //
          .empty;
        const tally = (await tallyRuns(db)).filter((row) => row.artifact_digest === artifact);
        expect(tally).to.have.length(36);
        expect(tally[0]).to.deep.equal({
          run_source: 'async_test',
          score_source: 'fallback',
          data_regime: 'maintenance_replay',
          status: 'completed',
          policy: 'tabular_only',
          artifact_digest: artifact,
          runs: 1,
        });
      });
    });

    describe('the other tables', () => {
      it('remember a dataset once', async () => {
        const dataset = makeDataset();
        await recordDataset(db, dataset);
        await recordDataset(db, { ...dataset, created_at: 1_800_000_000_000 });
        const found = (await listDatasets(db)).filter(
          (row) => row.data_version === dataset.data_version,
        );
        expect(found).to.deep.equal([dataset]);
        expect((await failure(recordDataset(db, makeDataset({ timeframe: '1 hour' })))).code) //
          .to.equal('database_refused');
      });

      it('register a model under its digest and under its name and version', async () => {
        const model = makeModel({ role: 'frozen_baseline', model_name: unique('name') });
        await recordModel(db, model);
        await recordModel(db, model);
        expect(await findModel(db, model.artifact_digest)).to.deep.equal(model);
        expect(await findModel(db, 'nowhere')).to.equal(undefined);
        const newer = { ...makeModel(), model_name: model.model_name, role: model.role };
        await recordModel(db, { ...newer, created_at: model.created_at + 1 });
        const latest = await latestModel(db, model.model_name, 'frozen_baseline');
        expect(latest?.artifact_digest).to.equal(newer.artifact_digest);
        const usurper = { ...model, artifact_digest: unique('artifact') };
        expect((await failure(recordModel(db, usurper))).code).to.equal('database_refused');
      });

      it('store a verdict under its content and time', async () => {
        const verdict = makeVerdict({ needs: [{ missing: 41 }] });
        const id = await saveVerdict(db, verdict, 1_900_000_000_000);
        expect(await saveVerdict(db, verdict, 1_900_000_000_000)).to.equal(id);
        expect(await findVerdict(db, id)).to.deep.equal({
          verdict_id: id,
          verdict,
          created_at: 1_900_000_000_000,
        });
        expect((await latestVerdicts(db, 1))[0]?.verdict_id).to.equal(id);
        expect(await findVerdict(db, 'nothing')).to.equal(undefined);
      });

      it('hold no pass on anything but prod runs, scored by the model, on prod_live data', async () => {
        const impure = [
          makeVerdict({ data_regime: 'mixed' }),
          makeVerdict({ filters: { include_sources: ['prod', 'smoke'], score_source: 'model' } }),
          makeVerdict({ filters: { include_sources: ['prod'], score_source: 'heuristic' } }),
          makeVerdict({ filters: {} }),
          makeVerdict({ run_ids: [] }),
        ];
        for (const verdict of impure) {
          const error = await failure(saveVerdict(db, verdict, 1));
          expect(error.code, JSON.stringify(verdict)).to.equal('database_refused');
          expect(error.context.constraint).to.equal('gate_verdicts_pure');
          await saveVerdict(db, { ...verdict, status: 'fail' }, 1);
        }
      });

      it('count the looks of a candidate at a window, shifted ones included', async () => {
        const touch = makeTouch({ window: { from: 1000, to: 2000 } });
        expect(await countOosTouches(db, touch.candidate, touch.window)).to.equal(0);
        await recordOosTouch(db, touch);
        await recordOosTouch(db, { ...touch, window: { from: 1999, to: 3000 } });
        await recordOosTouch(db, { ...touch, window: { from: 2000, to: 3000 } });
        await recordOosTouch(db, makeTouch({ window: touch.window }));
        expect(await countOosTouches(db, touch.candidate, touch.window)).to.equal(2);
      });

      it('keep predictions bit for bit, and each once', async () => {
        const [first, second] = [
          makePrediction(),
          makePrediction({ symbols: null, times: null, explanation: null }),
        ];
        await recordPredictions(db, [first]);
        await recordPredictions(db, [{ ...first, policy: 'nn_only' }, second]);
        const found = await findPrediction(db, first.prediction_id);
        expect(found).to.deep.equal(first);
        expect(new Uint8Array(found!.features.buffer)).to.deep.equal(
          new Uint8Array(first.features.buffer),
        );
        expect(await findPrediction(db, second.prediction_id)).to.deep.equal(second);
        const broken = makePrediction({ scores: Float64Array.of(Number.NaN) });
        expect((await failure(recordPredictions(db, [broken]))).code).to.equal('not_canonical');
      });

      it('keep what the network was shown, what each part gave, and a fall-back that says so', async () => {
        const blended = makePrediction({
          policy: 'blend_alpha_0.25',
          sequences: Float32Array.of(1.5, Number.NaN, -0, 1e-40),
          parts: { tabular: Float64Array.of(0.1, 0.2), nn: Float64Array.of(-0.3, 1 / 3) },
        });
        const alone = makePrediction({ parts: { tabular: null, nn: Float64Array.of(1, 2) } });
        const fallback = { from: 'nn_only', reason: 'network_failed' };
        const fallen = makePrediction({ score_source: 'fallback', fallback });
        await recordPredictions(db, [blended, alone, fallen]);
        for (const row of [blended, alone, fallen]) {
          expect(await findPrediction(db, row.prediction_id)).to.deep.equal(row);
        }
        for (const lie of [
          makePrediction({ score_source: 'fallback' }),
          makePrediction({ fallback }),
        ]) {
          const { code } = await failure(recordPredictions(db, [lie]));
          expect(code).to.equal('database_refused');
        }
      });
    });

    describe('text', () => {
      it('is data, never SQL', async () => {
        const lineage = `'); DROP TABLE backtest_runs; -- "\\ $1 ☃ \u{1f40d}`;
        const run = makeRun({ run_id: unique(lineage), lineage_id: lineage });
        await recordRuns(db, [run]);
        expect((await runsOf(run))[0]?.lineage_id).to.equal(lineage);
      });

      it('with a NUL is refused, for neither engine can hold one', async () => {
        const run = makeRun({ lineage_id: 'a\u0000b' });
        expect((await failure(recordRuns(db, [run]))).code).to.equal('database_refused');
      });
    });

    describe('transactions', () => {
      it('leave nothing behind when their work throws, and pass on what it threw', async () => {
        const run = makeRun();
        const thrown = await failure(
          db.transaction(async (tx) => {
            await recordRuns(tx, [run]);
            await recordModel(tx, { ...makeModel(), type: 'other' as 'lightgbm_liquid' });
          }),
        );
        expect(thrown.code).to.equal('input_invalid');
        expect(await runsOf(run)).to.deep.equal([]);
      });

      it('record a retrain whole or not at all', async () => {
        const [dataset, model, run] = [makeDataset(), makeModel(), makeRun()];
        const touch = makeTouch({ run_id: run.run_id });
        const rows = { dataset, models: [model], runs: [run], oosTouches: [touch] };
        const impure = { value: makeVerdict({ run_ids: [] }), at: 1 };
        expect((await failure(recordRetrain(db, { ...rows, verdict: impure }))).code).to.equal(
          'database_refused',
        );
        expect(await runsOf(run)).to.deep.equal([]);
        expect(await findModel(db, model.artifact_digest)).to.equal(undefined);
        expect(await countOosTouches(db, touch.candidate, touch.window)).to.equal(0);
        await recordRetrain(db, { ...rows, verdict: { value: makeVerdict(), at: 1 } });
        expect(await runsOf(run)).to.have.length(1);
        expect(await countOosTouches(db, touch.candidate, touch.window)).to.equal(1);
      });

      it('may run side by side', async () => {
        const runs = Array.from({ length: 20 }, () => makeRun());
        await Promise.all(runs.map((run) => db.transaction((tx) => recordRuns(tx, [run]))));
        expect(await runsOf(...runs)).to.have.length(20);
      });

      it('end in an error, not in silence, when a failed statement was swallowed', async () => {
        const run = makeRun();
        const work = db.transaction(async (tx) => {
          await recordRuns(tx, [run]);
          await tx.query('SELECT 1 / 0').catch(() => {});
        });
        expect((await failure(work)).code).to.equal('database_failed');
        expect(await runsOf(run)).to.deep.equal([]);
      });
    });

    describe('searches', () => {
      it('count their trials study by study, and the count never falls', async () => {
        const market = unique('market');
        expect(await countSearchTrials(db, market)).to.equal(0);
        await recordSearchTrials(db, market, 'a', 5);
        await recordSearchTrials(db, market, 'b', 7);
        await recordSearchTrials(db, unique('market'), 'a', 100);
        expect(await countSearchTrials(db, market)).to.equal(12);
        await recordSearchTrials(db, market, 'a', 2);
        expect(await countSearchTrials(db, market)).to.equal(12);
        await recordSearchTrials(db, market, 'a', 9);
        expect(await countSearchTrials(db, market)).to.equal(16);
      });

      it('keep their count from anybody who would lower it', async () => {
        const market = unique('market');
        await recordSearchTrials(db, market, 'a', 5);
        for (const sql of [
          'UPDATE search_trials SET trials = 4 WHERE market = $1',
          "UPDATE search_trials SET study_name = 'b' WHERE market = $1",
          'DELETE FROM search_trials WHERE market = $1',
        ]) {
          expect((await failure(db.query(sql, [market]))).code, sql).to.equal('database_refused');
        }
        expect((await failure(db.query('TRUNCATE search_trials'))).code).to.equal(
          'database_refused',
        );
        expect(await countSearchTrials(db, market)).to.equal(5);
      });

      it('leave candidates, each once and for good', async () => {
        const candidate = makeCandidate();
        await recordGateCandidate(db, candidate);
        await recordGateCandidate(db, { ...candidate, trial_count: 999 });
        expect(await gateCandidates(db, candidate.market)).to.deep.equal([candidate]);
        const error = await failure(
          db.query('UPDATE gate_candidates SET trial_count = 3 WHERE market = $1', [
            candidate.market,
          ]),
        );
        expect(error.code).to.equal('database_refused');
      });

      it('leave none without a trial of each stage, or on data that are not live', async () => {
        const { stages } = makeCandidate();
        for (const wrong of [{ stages: stages.slice(1) }, { data_regime: 'mixed' }]) {
          const candidate = makeCandidate(wrong as object);
          const error = await failure(recordGateCandidate(db, candidate));
          expect(error.code).to.equal('input_invalid');
        }
        const { market } = makeCandidate();
        const insert = `INSERT INTO gate_candidates VALUES
          (repeat('a', 64), $1, 'd', $2, '{}', $3::jsonb, 'l', 9, '{}', now())`;
        for (const [regime, made] of [
          ['mixed', '[1, 2, 3]'],
          ['prod_live', '[1, 2]'],
        ] as const) {
          const error = await failure(db.query(insert, [market, regime, made]));
          expect(error.code).to.equal('database_refused');
        }
        expect(await gateCandidates(db, market)).to.deep.equal([]);
      });
    });

    describe('migrations', () => {
      const known = async (): Promise<Migration[]> =>
        (await db.query('SELECT number, name, sha256 FROM schema_migrations ORDER BY number')).map(
          (row) => ({ ...(row as unknown as Migration), sql: 'SELECT 1' }),
        );

      it('that are applied are not applied again', async () => {
        const before = await known();
        await migrate(db, clock);
        expect(await known()).to.deep.equal(before);
      });

      it('that changed after they were applied are refused with their number', async () => {
        const [first, ...rest] = await known();
        const error = await failure(migrate(db, clock, [{ ...first!, sha256: '0' }, ...rest]));
        expect(error.code).to.equal('migration_changed');
        expect(error.message).to.contain(`Migration 1 (${first!.name})`);
      });

      it('that this version does not know are refused: the database is newer', async () => {
        const error = await failure(migrate(db, clock, (await known()).slice(0, 1)));
        expect(error.message).to.contain('newer Sluice');
      });

      it('that fail leave nothing behind, nor do those before them', async () => {
        const before = await known();
        const next = before.length + 1;
        const make = (number: number, sql: string) => ({ number, name: 'x', sha256: 'x', sql });
        const error = await failure(
          migrate(db, clock, [
            ...before,
            make(next, 'CREATE TABLE half (x int); INSERT INTO half VALUES (1);'),
            make(next + 1, 'CREATE TABLE other (x int); SELECT * FROM nothing;'),
          ]),
        );
        expect(error.code).to.equal('database_failed');
        expect(await known()).to.deep.equal(before);
        const left = await db.query(`SELECT to_regclass('half') AS half`);
        expect(left).to.deep.equal([{ half: null }]);
      });
    });
  });
}
