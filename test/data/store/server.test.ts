import { expect } from 'chai';
import {
  type Database,
  finishedRuns,
  openDatabase,
  recordRuns,
} from '../../../data/store/index.ts';
import { readMigrations } from '../../../data/store/migrate.ts';
import { holdTransaction, kill } from './children.ts';
import { conformance } from './conformance.ts';
import { failure } from './failure.ts';
import { usePostgres } from './postgresServer.ts';
import { makeRun } from './records.ts';

const clock = () => 1_700_000_000_000;

describe('a PostgreSQL server', () => {
  const server = usePostgres();
  const open = async (): Promise<Database> =>
    openDatabase({ url: await server().createDatabase(), folder: null, clock });

  conformance('PostgreSQL', open);

  it('is migrated once by many that start at the same moment', async () => {
    const url = await server().createDatabase();
    const all = await Promise.all(
      Array.from({ length: 6 }, () => openDatabase({ url, folder: null, clock })),
    );
    const rows = await all[0]!.query('SELECT number FROM schema_migrations ORDER BY number');
    expect(rows.map((row) => row.number)).to.deep.equal(
      readMigrations().map(({ number }) => number),
    );
    await Promise.all(all.map((db) => db.close()));
  });

  it('keeps nothing of a transaction whose process was killed', async () => {
    const url = await server().createDatabase();
    await kill(await holdTransaction('', url, 'killed'));
    const db = await openDatabase({ url, folder: null, clock });
    const left = await finishedRuns(db);
    expect(left.map((run) => run.run_id)).to.deep.equal(['killed-committed']);
    await db.close();
  });

  it('may drop idle connections; the next query gets a new one', async () => {
    const url = await server().createDatabase();
    const [db, other] = await Promise.all([
      openDatabase({ url, folder: null, clock }),
      openDatabase({ url, folder: null, clock }),
    ]);
    await other.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await recordRuns(db, [makeRun()]);
    expect(await finishedRuns(db)).to.have.length(1);
    await Promise.all([db.close(), other.close()]);
  });
});

describe('DATABASE_URL', () => {
  it('to a server that is not there names the place, not the password', async () => {
    const url = 'postgres://me:secret@127.0.0.1:1/x';
    const error = await failure(openDatabase({ url, folder: null, clock }));
    expect(error.code).to.equal('database_failed');
    expect(error.message).to.contain('127.0.0.1:1/x').and.not.contain('secret');
    expect(JSON.stringify(error.context)).not.to.contain('secret');
  });

  it('that is no PostgreSQL URL is refused with an example', async () => {
    for (const url of ['mysql://x/y', 'nonsense']) {
      const error = await failure(openDatabase({ url, folder: null, clock }));
      expect(error.code).to.equal('config_invalid');
      expect(error.message).to.contain('postgres://user:password@host:5432/database');
    }
  });
});
