// A study database on a PostgreSQL server, as Optuna keeps it, for workers on many machines.

import { readFileSync } from 'node:fs';
import { projectPath } from '../../core/index.ts';
import type { Database, Queryable } from '../../data/store/index.ts';
import type { Storage } from '../study/index.ts';
import { type Engine, type Query, schemaVersion, type TrialRows } from './engine.ts';
import { createRelationalStorage } from './relational.ts';
import { wrongSchema } from './rules.ts';

/** Any number will do, as long as every Sluice takes the same. */
const advisoryLock = 7_584_424;

/**
 * A storage in an open database, which it closes; Optuna's tables and ours are made if missing.
 * @throws SluiceError `migration_changed` (tables of another Optuna) | `database_failed`
 */
export async function openPostgresStorage(database: Database): Promise<Storage> {
  await database.transaction(prepareTables);
  return createRelationalStorage(createEngine(database));
}

const sqlFile = (name: string): string =>
  readFileSync(projectPath('hpo', 'storage', 'sql', `${name}.postgres.sql`), 'utf8');

/** Processes that start at once wait for each other. */
async function prepareTables(tx: Queryable): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [advisoryLock]);
  if (!(await has(tx, 'studies'))) await tx.script(sqlFile('optuna'));
  const version = await readVersion(tx);
  if (version !== schemaVersion) throw wrongSchema('The database', version);
  if (!(await has(tx, 'sluice_provenance'))) await tx.script(sqlFile('sluice'));
}

async function has(tx: Queryable, table: string): Promise<boolean> {
  const [row] = await tx.query('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  return row?.found === true;
}

/** null: Optuna did not make these tables */
async function readVersion(tx: Queryable): Promise<string | null> {
  if (!(await has(tx, 'alembic_version'))) return null;
  const [row] = await tx.query('SELECT version_num FROM alembic_version');
  return row === undefined ? null : String(row.version_num);
}

function createEngine(database: Database): Engine {
  return {
    write: (work) => database.transaction((tx) => work(queryOf(tx))),
    read: (work) => work(queryOf(database)),
    lockStudy: 'SELECT study_id FROM studies WHERE study_id = $1 FOR UPDATE',
    amongIds: '= ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::integer))',
    insert: async (query, table, rows) => {
      await query(inserts[table], [JSON.stringify(rows)]);
    },
    close: () => database.close(),
  };
}

const queryOf =
  (target: Queryable): Query =>
  (sql, params) =>
    target.query(sql, params);

/** All rows in one statement: a row is a JSON array, in order, so that ids follow the order of the rows. */
const rowsOf = `FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS input (cells, place) ORDER BY place`;

const inserts: Readonly<Record<keyof TrialRows, string>> = {
  trial_params: `INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
    SELECT (cells ->> 0)::integer, cells ->> 1, (cells ->> 2)::float8, cells ->> 3 ${rowsOf}
    ON CONFLICT (trial_id, param_name)
    DO UPDATE SET param_value = excluded.param_value, distribution_json = excluded.distribution_json`,
  trial_intermediate_values: `INSERT INTO trial_intermediate_values
    (trial_id, step, intermediate_value, intermediate_value_type)
    SELECT (cells ->> 0)::integer, (cells ->> 1)::integer, (cells ->> 2)::float8,
      (cells ->> 3)::trialintermediatevaluetype ${rowsOf}
    ON CONFLICT (trial_id, step)
    DO UPDATE SET intermediate_value = excluded.intermediate_value,
      intermediate_value_type = excluded.intermediate_value_type`,
  trial_user_attributes: `INSERT INTO trial_user_attributes (trial_id, key, value_json)
    SELECT (cells ->> 0)::integer, cells ->> 1, cells ->> 2 ${rowsOf}
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json`,
  trial_system_attributes: `INSERT INTO trial_system_attributes (trial_id, key, value_json)
    SELECT (cells ->> 0)::integer, cells ->> 1, cells ->> 2 ${rowsOf}
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json`,
  trial_values: `INSERT INTO trial_values (trial_id, objective, value, value_type)
    SELECT (cells ->> 0)::integer, (cells ->> 1)::integer, (cells ->> 2)::float8,
      (cells ->> 3)::trialvaluetype ${rowsOf}
    ON CONFLICT (trial_id, objective)
    DO UPDATE SET value = excluded.value, value_type = excluded.value_type`,
};
