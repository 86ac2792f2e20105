import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { openSqliteStorage } from '../../../hpo/storage/index.ts';
import {
  createStudy,
  loadStudy,
  optimize,
  type Storage,
  type Study,
  type Trial,
} from '../../../hpo/study/index.ts';
import { needsPeerPython } from '../../peerPython.ts';
import { skipLoudly } from '../../skipLoudly.ts';
import { type Listing, listed, type Plots, runPython } from './pythonOptuna.ts';
import { everything, middle } from './trials.ts';

const clock = () => 1_795_367_759_777;
const recorded = (name: string): string =>
  readFileSync(projectPath('test', 'hpo', 'storage', 'recorded', name), 'utf8');

/** The objective of `python_optuna.py`. */
const objective = (trial: Trial): number => {
  const x = trial.suggestFloat('x', -5, 5);
  const rate = trial.suggestFloat('rate', 1e-5, 1, { log: true });
  const depth = trial.suggestInt('depth', 1, 9, { step: 2 });
  const kind = trial.suggestCategorical('kind', ['a', null, true, 1.5, 3]);
  trial.report(x, 1);
  return (x - 1) ** 2 + rate + depth + (kind === 'a' ? 1 : 0);
};

describe('studies of Python Optuna', () => {
  let folder: string;
  let storage: Storage | undefined;
  let files = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-optuna-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(async () => {
    await storage?.close();
    storage = undefined;
  });
  const open = (file: string): Storage => {
    storage = openSqliteStorage(file);
    return storage;
  };

  const newFile = () => {
    files += 1;
    return join(folder, `${files}.db`);
  };
  const restore = (sql: string): string => {
    const file = newFile();
    // a dump's tables are not in the order of their references
    const database = new DatabaseSync(file, { enableForeignKeyConstraints: false });
    database.exec(sql);
    database.close();
    return file;
  };
  const load = (name: string): Promise<Study> =>
    loadStudy({ storage: storage!, name, sampler: middle, clock });
  const listing = async (name: string) => listed(await (await load(name)).snapshot());
  const pythonListings = (jsonl: string): Listing[] =>
    jsonl
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  const writeOurs = async (file: string): Promise<Study> => {
    const storage = open(file);
    const study = await createStudy({
      storage,
      name: 'ours',
      sampler: middle,
      directions: ['MINIMIZE'],
      clock,
      lineage: { lineageId: 'line', configDigest: 'c0ffee', stage: 1, parent: null },
    });
    await optimize(study, objective, { trials: 3 });
    await storage.addTrial(study.id, {
      ...everything,
      systemAttributes: new Map(),
      state: 'PRUNED',
      values: [Number.NEGATIVE_INFINITY],
      startedAt: clock() - 5,
      completedAt: clock(),
    });
    for (const [value, over] of [
      [-10, 1],
      [0.5, -1],
      [Number.NaN, -1],
    ] as const) {
      const trial = await study.ask();
      trial.setConstraints({ drawdown: over });
      await study.tell(trial, value);
    }
    await study.enqueue({ x: 2, kind: null });
    return study;
  };

  it('are read as Optuna itself reads them', async () => {
    open(restore(recorded('optuna.sql')));
    for (const theirs of pythonListings(recorded('optuna.jsonl'))) {
      expect(await listing(theirs.name)).to.deep.equal(theirs);
    }
  });

  it('go on here, their waiting trials first', async () => {
    open(restore(recorded('optuna.sql')));
    const study = await load('python');
    const before = (await study.snapshot()).trials;
    const first = await study.ask();
    const waiting = before.find(({ state }) => state === 'WAITING')!;
    expect(first.number).to.equal(waiting.number);
    expect(first.suggestFloat('x', -5, 5)).to.equal(2);
    expect(first.suggestCategorical('kind', ['a', null, true, 1.5, 3])).to.equal(null);
    expect(() => first.suggestInt('rate', 1, 5)).to.throw('cannot change');
    await study.tell(first, 1);
    await optimize(study, objective, { trials: 2 });
    const after = (await study.snapshot()).trials;
    expect(after.map(({ number }) => number)).to.deep.equal([...after.keys()]);
    expect(after).to.have.length(before.length + 2);
    expect(after.slice(0, 6)).to.deep.equal(before.slice(0, 6));
  });

  it('have the very tables that we make', () => {
    const schema = (file: string) => {
      const database = new DatabaseSync(file, { readOnly: true });
      const rows = database
        .prepare(
          `SELECT name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'sluice%' AND name NOT LIKE 'sluice%' ORDER BY name`,
        )
        .all();
      const versions = database
        .prepare('SELECT * FROM version_info CROSS JOIN alembic_version')
        .all();
      database.close();
      return [
        ...rows.map(({ name, sql }) => [name, String(sql).replaceAll(/\s+/g, ' ')]),
        ...versions.map((row) => ({ ...row })),
      ].map((row) => JSON.stringify(row).replaceAll(/([(]) | ([)])/g, '$1$2'));
    };
    const ours = newFile();
    open(ours);
    const theirs = schema(restore(recorded('optuna.sql')));
    expect(theirs.join('\n'))
      .to.contain('CREATE TABLE trial_heartbeats')
      .and.to.contain('v3.2.0.a');
    expect(schema(ours)).to.deep.equal(theirs);
  });

  it('can be ours: Optuna reads, continues and deletes them, and our lineage counts on', async function () {
    needsPeerPython(this);
    const file = newFile();
    const study = await writeOurs(file);
    expect(await runPython('list', file, 'ours')).to.deep.equal(await listing('ours'));
    const continued = await runPython('optimize', file, 'ours', '4');
    expect(continued.trials).to.have.length(11);
    expect(await listing('ours')).to.deep.equal(continued);
    await optimize(study, objective, { trials: 2 });
    const queued = await runPython('enqueue', file, 'ours');
    expect(await listing('ours')).to.deep.equal(queued);
    expect((await study.ask()).number).to.equal(13);
    await runPython('delete', file, 'ours');
    expect(await storage!.listStudies()).to.deep.equal([]);
    expect(
      (await storage!.readLineage('line')).map((one) => [one.deleted, one.trialCount]),
    ).to.deep.equal([[true, 14]]);
  });

  it('made this minute are read and continued, and Optuna reads the rest', async function () {
    needsPeerPython(this);
    const target = mkdtempSync(join(folder, 'record-'));
    await runPython('record', target);
    const file = restore(readFileSync(join(target, 'optuna.sql'), 'utf8'));
    open(file);
    for (const theirs of pythonListings(readFileSync(join(target, 'optuna.jsonl'), 'utf8'))) {
      expect(await listing(theirs.name)).to.deep.equal(theirs);
    }
    await optimize(await load('python'), objective, { trials: 3 });
    expect(await runPython('list', file, 'python')).to.deep.equal(await listing('python'));
  });

  it('can be ours: Optuna draws all its figures of them', async function () {
    needsPeerPython(this);
    const file = newFile();
    open(file);
    const study = await createStudy({
      ...{ storage: storage!, name: 'drawn', clock },
      sampler: middle,
      directions: ['MINIMIZE'],
    });
    for (const x of [3, -2, 1.5]) await study.enqueue({ x, rate: 0.1, depth: 3, kind: 'a' });
    await optimize(study, objective, { trials: 3 });
    const plots = await runPython<Plots | null>('plot', file, 'drawn');
    if (plots === null) skipLoudly(this, 'PEER_PYTHON has no plotly, so Optuna draws nothing');
    const { trials } = await study.snapshot();
    expect(plots.history[0]).to.deep.equal(trials.map(({ values }) => values![0]));
    expect(plots.intermediate).to.deep.equal(trials.map(({ reports }) => [reports.get(1)]));
  });

  it('may be written by both at the same moment', async function () {
    needsPeerPython(this);
    const file = newFile();
    const study = await writeOurs(file);
    let pythonRuns = true;
    const python = runPython('optimize', file, 'ours', '8').finally(() => {
      pythonRuns = false;
    });
    let own = 8;
    while (pythonRuns) {
      await optimize(study, objective, { trials: 1 });
      own += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await python;
    const { trials } = await study.snapshot();
    expect(trials.map(({ number }) => number)).to.deep.equal([...trials.keys()]);
    // one of us took the trial that waited, and made none
    expect(trials.length).to.equal(own + 7);
    expect(trials.slice(8).every(({ state }) => state === 'COMPLETE')).to.equal(true);
    expect(await runPython('list', file, 'ours')).to.deep.equal(await listing('ours'));
  });
});
