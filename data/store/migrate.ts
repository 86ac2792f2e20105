// Brings the tables up to date: numbered SQL files, applied in order, each remembered by its sha256.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type Clock,
  isoTime,
  parseStrict,
  projectPath,
  SluiceError,
  sha256Hex,
} from '../../core/index.ts';
import type { Database, Queryable } from './database.ts';

/** One change of the tables; files are named `NNN_name.sql`. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

const appliedSchema = z.array(
  z.strictObject({ number: z.int(), name: z.string(), sha256: z.string() }),
);

/** Any number will do, as long as every Sluice takes the same. */
const advisoryLock = 7_584_423;

/** The migrations of a folder, in order; the numbers run 1, 2, 3. */
export function readMigrations(
  folder: string = projectPath('data', 'store', 'migrations'),
): readonly Migration[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'));
  return files.sort().map((file, at) => {
    const [, digits, name] = /^(\d{3})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
    if (name === undefined || Number(digits) !== at + 1) {
      throw new SluiceError(
        'internal',
        `Migration ${at + 1} is expected next, named like 001_runs.sql; found ${file}.`,
      );
    }
    const sql = readFileSync(join(folder, file), 'utf8');
    return { number: at + 1, name, sql, sha256: sha256Hex(sql) };
  });
}

/**
 * Applies the missing migrations, all or none. Processes that start at once wait for each other.
 * @throws SluiceError `migration_changed` if the database does not hold the beginning of this list
 */
export async function migrate(
  database: Database,
  clock: Clock,
  migrations: readonly Migration[] = readMigrations(),
): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [advisoryLock]);
    await tx.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL
       )`,
    );
    const done = await appliedCount(tx, migrations);
    for (const migration of migrations.slice(done)) await apply(tx, migration, clock);
  });
}

async function appliedCount(tx: Queryable, migrations: readonly Migration[]): Promise<number> {
  const rows = await tx.query('SELECT number, name, sha256 FROM schema_migrations ORDER BY number');
  const applied = parseStrict(appliedSchema, rows, 'schema_migrations', 'internal');
  applied.forEach((row, at) => {
    if (row.sha256 === migrations[at]?.sha256) return;
    const problem =
      at < migrations.length
        ? 'was applied with another content; restore the file and add a new one instead'
        : 'is not known to this version; the database belongs to a newer Sluice, so update this one';
    throw new SluiceError(
      'migration_changed',
      `Migration ${row.number} (${row.name}) of the database ${problem}.`,
      { number: row.number, name: row.name },
    );
  });
  return applied.length;
}

async function apply(tx: Queryable, migration: Migration, clock: Clock): Promise<void> {
  await tx.script(migration.sql);
  await tx.query(
    'INSERT INTO schema_migrations (number, name, sha256, applied_at) VALUES ($1, $2, $3, $4)',
    [migration.number, migration.name, migration.sha256, isoTime(clock())],
  );
}
