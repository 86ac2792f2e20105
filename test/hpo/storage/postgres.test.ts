import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { openEmbedded } from '../../../data/store/embedded.ts';
import { type Database, openServer } from '../../../data/store/index.ts';
import { openPostgresStorage, openStorage } from '../../../hpo/storage/index.ts';
import { failure } from '../../data/store/failure.ts';
import { usePostgres } from '../../data/store/postgresServer.ts';
import { conformance } from './conformance.ts';
import { raceToEnqueue } from './enqueueRace.ts';

const recorded = (name: string): string =>
  readFileSync(projectPath('test', 'hpo', 'storage', 'recorded', name), 'utf8');

conformance('PGlite in memory', async () => openPostgresStorage(await openEmbedded(null, () => 0)));

/** Tables, columns, constraints and indexes that are Optuna's; alembic's own table is not made by its models. */
async function schema(database: Database): Promise<unknown[][]> {
  const parts = [
    `SELECT table_name, column_name, ordinal_position::int, data_type, udt_name, is_nullable, column_default,
            character_maximum_length, numeric_precision
     FROM information_schema.columns WHERE table_schema = 'public'`,
    `SELECT tablename AS table_name, indexdef FROM pg_indexes WHERE schemaname = 'public'`,
    `SELECT conrelid::regclass::text AS table_name, pg_get_constraintdef(oid) AS definition
     FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0`,
    `SELECT typname AS table_name, array_agg(enumlabel::text ORDER BY enumsortorder)
     FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid GROUP BY typname`,
  ];
  const rows = await Promise.all(parts.map((part) => database.query(part)));
  return rows
    .flat()
    .map((row) => Object.values(row))
    .filter((row) => !/sluice|alembic/.test(String(row)))
    .sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

describe('studies on a PostgreSQL server', () => {
  const server = usePostgres();
  const open = async () => {
    const database = await openServer(await server().createDatabase());
    return { database, storage: await openPostgresStorage(database) };
  };

  it('have the very tables that Optuna makes', async () => {
    const ours = await open();
    const theirs = await openServer(await server().createDatabase());
    await theirs.script(recorded('optuna.postgres.sql'));
    const expected = await schema(theirs);
    expect(expected.map(String).join()).to.contain('trial_heartbeats');
    expect(await schema(ours.database)).to.deep.equal(expected);
    await Promise.all([theirs.close(), ours.storage.close()]);
  });

  it('are made once by many that start at the same moment, and refused in another version', async () => {
    const url = await server().createDatabase();
    const all = await Promise.all(Array.from({ length: 4 }, () => openStorage(url)));
    await all[0]!.createStudy('seen by all', ['MINIMIZE']);
    expect((await all[3]!.findStudy('seen by all'))?.id).to.equal(1);
    await Promise.all(all.map((storage) => storage.close()));
    const database = await openServer(url);
    await database.query(`UPDATE alembic_version SET version_num = 'v3.3.0.a'`);
    await database.close();
    expect((await failure(openStorage(url))).code).to.equal('migration_changed');
  });

  it('get a trial once that two processes, each with its connection, enqueue at the same moment', async () => {
    const { taken, added } = await raceToEnqueue(await server().createDatabase(), 100);
    expect(taken).to.deep.equal(
      [...Array(100).keys()].map((number) => ({ study: 'coarse', number })),
    );
    expect(added).to.deep.equal(Array(100).fill(1));
  });

  conformance('PostgreSQL', async () => openStorage(await server().createDatabase()));
});
