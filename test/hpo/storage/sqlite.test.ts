import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { projectPath, type SluiceError } from '../../../core/index.ts';
import { openSqliteStorage, openStorage } from '../../../hpo/storage/index.ts';
import { failure } from '../../data/store/failure.ts';
import { conformance } from './conformance.ts';
import { raceToEnqueue } from './enqueueRace.ts';
import { noChanges } from './trials.ts';

/** Starts `worker.ts`; what it prints are the numbers of the trials that it finished. */
const work = (file: string, trials: number): ChildProcess =>
  spawn(
    process.execPath,
    [projectPath('test', 'hpo', 'storage', 'worker.ts'), file, 'shared', String(trials)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );

/** Waits for its end. @returns numbers of its trials, and what it complained of */
async function ended(worker: ChildProcess) {
  let [printed, errors] = ['', ''];
  worker.stdout!.on('data', (chunk) => {
    printed += chunk;
  });
  worker.stderr!.on('data', (chunk) => {
    errors += chunk;
  });
  await once(worker, 'close');
  // the last line of a killed process may be cut
  return { numbers: printed.split('\n').slice(0, -1).map(Number), errors };
}

describe('a study database in a file', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-hpo-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  conformance('SQLite', async () => openSqliteStorage(join(folder, 'deep', 'studies.db')));

  const refusal = (file: string): Promise<SluiceError> =>
    failure((async () => void openSqliteStorage(file))());

  it('is used by eight processes at once, from before it exists: no number lost, none twice, no error', async () => {
    const file = join(folder, 'many', 'shared.db');
    const results = await Promise.all(Array.from({ length: 8 }, () => ended(work(file, 25))));
    expect(results.map(({ errors }) => errors).join('')).to.equal('');
    const storage = openSqliteStorage(file);
    const study = await storage.findStudy('shared');
    const trials = await storage.readTrials(study!.id, -1, []);
    await storage.close();
    const all = [...Array(200).keys()];
    expect(trials.map(({ number }) => number)).to.deep.equal(all);
    expect(results.flatMap(({ numbers }) => numbers).sort((a, b) => a - b)).to.deep.equal(all);
    expect(
      trials.every(
        ({ number, state, values, params }) =>
          state === 'COMPLETE' && values?.[0] === number && params.size === 3,
      ),
    ).to.equal(true);
    expect(readdirSync(join(folder, 'many'))).to.deep.equal(['shared.db']);
  });

  it('gets a trial once that two processes enqueue at the same moment', async () => {
    const { taken, added } = await raceToEnqueue(join(folder, 'raced.db'), 100);
    expect(taken).to.deep.equal(
      [...Array(100).keys()].map((number) => ({ study: 'coarse', number })),
    );
    expect(added).to.deep.equal(Array(100).fill(1));
  });

  it('is whole after kill -9 of its writers, with every trial that they finished', async () => {
    const file = join(folder, 'killed.db');
    const workers = [work(file, 0), work(file, 0)];
    const results = workers.map(ended);
    for (const worker of workers) {
      await once(worker.stdout!, 'data');
      setTimeout(() => worker.kill('SIGKILL'), 100);
    }
    const finished = (await Promise.all(results)).flatMap(({ numbers }) => numbers);
    expect(finished.length).to.be.greaterThan(0);
    const database = new DatabaseSync(file, { readOnly: true });
    expect(database.prepare('PRAGMA integrity_check').get()).to.deep.include({
      integrity_check: 'ok',
    });
    database.close();
    const storage = openSqliteStorage(file);
    const { id } = (await storage.findStudy('shared'))!;
    const trials = await storage.readTrials(id, -1, []);
    expect(trials.map(({ number }) => number)).to.deep.equal([...trials.keys()]);
    for (const number of finished) expect(trials[number]?.values).to.deep.equal([number]);
    for (const trial of trials) {
      expect([trial.state, trial.params.size]).to.be.deep.oneOf([
        ['COMPLETE', 3],
        ['RUNNING', 0],
      ]);
    }
    const next = await storage.ask(id, 1, null);
    expect(next.number).to.equal(trials.length);
    expect(await storage.write(next, noChanges)).to.equal(true);
    await storage.close();
  });

  it('is refused when it is no database, or one of another version, and left as it is', async () => {
    const text = join(folder, 'text.db');
    writeFileSync(text, 'not a database, but longer than the header of one would be: '.repeat(20));
    expect((await refusal(text)).code).to.equal('input_invalid');
    const other = join(folder, 'other.db');
    const database = new DatabaseSync(other);
    database.exec(
      `CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('v3.0.0.d')`,
    );
    const error = await refusal(other);
    expect(error.code).to.equal('migration_changed');
    expect(error.message).to.contain('v3.0.0.d').and.to.contain('optuna storage upgrade');
    expect(database.prepare('SELECT count(*) AS n FROM sqlite_master').get()?.n).to.equal(1);
    database.close();
    expect((await refusal(join(text, 'studies.db'))).code).to.be.oneOf([
      'input_missing',
      'io_failed',
    ]);
  });

  it('is named as for Optuna, or by its path', async () => {
    const file = join(folder, 'named.db');
    const [url, path] = [await openStorage(`sqlite:///${file}`), await openStorage(file)];
    await url.createStudy('seen by both', ['MINIMIZE']);
    expect(await path.findStudy('seen by both')).not.to.equal(null);
    await Promise.all([url.close(), path.close()]);
    expect((await failure(openStorage('mysql://me@there/x'))).code).to.equal('config_invalid');
  });

  it('tells of what Optuna could not read either', async () => {
    const file = join(folder, 'odd.db');
    const storage = openSqliteStorage(file);
    const { id } = await storage.createStudy('odd', ['MINIMIZE']);
    await storage.ask(id, 1, null);
    const database = new DatabaseSync(file);
    const readAfter = async (sql: string) => {
      database.exec(sql);
      return failure(storage.readTrials(id, -1, []));
    };
    const lower = await readAfter(`UPDATE trials SET state = 'complete'`);
    expect(lower.code).to.equal('input_invalid');
    expect(lower.message).to.contain('upper case; found complete');
    const halves = await readAfter(
      `UPDATE trials SET state = 'COMPLETE'; INSERT INTO trial_values VALUES (1, 1, 0, NULL, 'FINITE')`,
    );
    expect(halves.code).to.equal('input_invalid');
    const distribution = await readAfter(
      `DELETE FROM trial_values; INSERT INTO trial_params VALUES (1, 1, 'x', 0.5,
         '{"name": "FloatDistribution", "attributes": {"low": 0, "high": 1, "extra": 1}}')`,
    );
    expect(distribution.message).to.contain('extra');
    database.close();
    await storage.close();
  });
});
