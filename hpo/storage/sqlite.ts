// A study database in one SQLite file, as Optuna keeps it; many processes may use it at once.

import { existsSync, linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { asSluiceError, projectPath, SluiceError, stagingPath } from '../../core/index.ts';
import type { Storage } from '../study/index.ts';
import { type Engine, type Query, type Row, schemaVersion, type TrialRows } from './engine.ts';
import { createRelationalStorage } from './relational.ts';
import { wrongSchema } from './rules.ts';

/** Transactions take less than a millisecond; who waits longer than this waits for something that hangs. */
const busyMs = 60_000;

/**
 * Opens the file, made if missing. What is committed outlives a process that is killed; a machine that loses power may
 * lose the last commits, never the file.
 * @throws SluiceError `input_invalid` (no SQLite file) | `migration_changed` (tables of another Optuna) |
 *   `database_busy` (another program holds the file for a minute) | `io_failed` | `database_failed`
 */
export function openSqliteStorage(path: string): Storage {
  return guarded(path, () => {
    if (!existsSync(path)) create(path);
    const database = new DatabaseSync(path, { timeout: busyMs });
    try {
      prepareTables(database, path);
      return createRelationalStorage(createEngine(database, path));
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

const sqlFile = (name: string): string =>
  readFileSync(projectPath('hpo', 'storage', 'sql', `${name}.sqlite.sql`), 'utf8');

/**
 * A new file is built beside its place and linked there whole: no process finds half of one, and none switches to the
 * write-ahead log while others hold the file.
 */
function create(path: string): void {
  const staging = stagingPath(path);
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  try {
    const file = join(staging, 'studies.db');
    const database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`BEGIN; ${sqlFile('optuna')} ${sqlFile('sluice')} COMMIT`);
    database.close();
    linkSync(file, path);
  } catch (error) {
    // another process was first
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Brings a file that Optuna made up to what we need: our tables, and the write-ahead log if it is free for it. */
function prepareTables(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA synchronous = NORMAL');
  const version = readVersion(database);
  if (version !== schemaVersion) throw wrongSchema(path, version);
  if (!has(database, 'sluice_study_deleted')) {
    database.exec(`BEGIN IMMEDIATE; ${sqlFile('sluice')} COMMIT`);
  }
  if (database.prepare('PRAGMA journal_mode').get()?.journal_mode === 'wal') return;
  try {
    database.exec('PRAGMA journal_mode = WAL');
  } catch (error) {
    // only speed is lost: whoever holds the file now goes on with its own journal
    if ((error as SqliteError).errcode !== codes.busy) throw error;
  }
}

/** null: not Optuna's tables */
function readVersion(database: DatabaseSync): string | null {
  if (!has(database, 'alembic_version')) return null;
  const row = database.prepare('SELECT version_num FROM alembic_version').get();
  return row === undefined ? null : String(row.version_num);
}

const has = (database: DatabaseSync, name: string): boolean =>
  database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(name) !== undefined;

function createEngine(database: DatabaseSync, path: string): Engine {
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = database.prepare(sql.replaceAll(/\$(\d)/g, '?$1'));
    statements.set(sql, made);
    return made;
  };
  const query: Query = async (sql, params = []) => prepare(sql).all(...params) as Row[];

  // One connection, so one transaction at a time: the next waits for the one before to end.
  let last: Promise<unknown> = Promise.resolve();
  const transaction = <T>(begin: string, work: (query: Query) => Promise<T>): Promise<T> => {
    const run = async (): Promise<T> => {
      try {
        prepare(begin).run();
        const result = await work(query);
        prepare('COMMIT').run();
        return result;
      } catch (error) {
        if (database.isTransaction) prepare('ROLLBACK').run();
        throw asDatabaseError(path, error);
      }
    };
    const next = last.then(run, run);
    last = next;
    return next;
  };
  return {
    // taken at once, so that a writer waits its turn here and is never refused half way
    write: (work) => transaction('BEGIN IMMEDIATE', work),
    read: (work) => transaction('BEGIN', work),
    lockStudy: 'SELECT study_id FROM studies WHERE study_id = $1',
    amongIds: 'IN (SELECT value FROM json_each($1))',
    insert: async (_query, table, rows) => {
      for (const row of rows) prepare(inserts[table]).run(...row);
    },
    close: async () => {
      await last.catch(() => {});
      database.close();
    },
  };
}

const inserts: Readonly<Record<keyof TrialRows, string>> = {
  trial_params: `INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
    VALUES ($1, $2, $3, $4) ON CONFLICT (trial_id, param_name)
    DO UPDATE SET param_value = excluded.param_value, distribution_json = excluded.distribution_json`,
  trial_intermediate_values: `INSERT INTO trial_intermediate_values
    (trial_id, step, intermediate_value, intermediate_value_type)
    VALUES ($1, $2, $3, $4) ON CONFLICT (trial_id, step)
    DO UPDATE SET intermediate_value = excluded.intermediate_value,
      intermediate_value_type = excluded.intermediate_value_type`,
  trial_user_attributes: `INSERT INTO trial_user_attributes (trial_id, "key", value_json)
    VALUES ($1, $2, $3) ON CONFLICT (trial_id, "key") DO UPDATE SET value_json = excluded.value_json`,
  trial_system_attributes: `INSERT INTO trial_system_attributes (trial_id, "key", value_json)
    VALUES ($1, $2, $3) ON CONFLICT (trial_id, "key") DO UPDATE SET value_json = excluded.value_json`,
  trial_values: `INSERT INTO trial_values (trial_id, objective, value, value_type)
    VALUES ($1, $2, $3, $4) ON CONFLICT (trial_id, objective)
    DO UPDATE SET value = excluded.value, value_type = excluded.value_type`,
};

interface SqliteError extends Error {
  readonly code?: string;
  readonly errcode?: number;
}

/** Primary result codes of SQLite. */
const codes = { busy: 5, cannotOpen: 14, constraint: 19, notADatabase: 26 } as const;

function asDatabaseError(path: string, thrown: unknown): unknown {
  const { code, errcode = 0, message } = thrown as SqliteError;
  if (code !== 'ERR_SQLITE_ERROR') return thrown;
  const fault = (kind: ConstructorParameters<typeof SluiceError>[0], what: string) =>
    new SluiceError(kind, `${what} (${message}).`, { path, errcode }, thrown);
  switch (errcode & 0xff) {
    case codes.busy:
      return fault('database_busy', `${path} was locked by another program for too long`);
    case codes.cannotOpen:
      return fault('io_failed', `${path} cannot be opened; see that its folder may be written`);
    case codes.constraint:
      return fault('database_refused', `${path} refused a row`);
    case codes.notADatabase:
      return fault('input_invalid', `${path} is no SQLite file`);
    default:
      return fault('database_failed', `${path} failed`);
  }
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asSluiceError(asDatabaseError(path, error));
  }
}
