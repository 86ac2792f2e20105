// A storage over a database that has Optuna's tables; the SQL that SQLite and PostgreSQL share.

import type { AttributeKind, Json, Storage, StoredStudy } from '../study/index.ts';
import type { Engine, Query } from './engine.ts';
import { jsonText, parseJson } from './json.ts';
import {
  insertLineage,
  selectLineage,
  selectLineageStudies,
  selectProvenance,
  upsertProvenance,
} from './lineage.ts';
import { duplicateStudy, missingStudy } from './rules.ts';
import { createTrialStatements } from './trialStatements.ts';
import { readDirection, readInteger } from './values.ts';

/** The storage of an engine. */
export function createRelationalStorage(engine: Engine): Storage {
  const { read, write } = engine;
  const trials = createTrialStatements(engine);
  return {
    createStudy: (name, directions) => write((query) => insertStudy(query, name, directions)),
    findStudy: (name) => read(async (query) => (await selectStudies(query, name))[0] ?? null),
    listStudies: () => read((query) => selectStudies(query, null)),
    deleteStudy: (studyId) =>
      write(async (query) => {
        await trials.lock(query, studyId);
        await deleteStudy(query, studyId);
      }),
    setStudyAttributes: (studyId, kind, attributes) =>
      write((query) => upsertStudyAttributes(query, studyId, kind, attributes)),
    readStudyAttributes: (studyId, kind) =>
      read((query) => selectStudyAttributes(query, studyId, kind)),

    ask: (studyId, now, lease) => write((query) => trials.ask(query, studyId, now, lease)),
    addTrial: (studyId, draft) => write((query) => trials.add(query, studyId, draft)),
    addTrialOnce: (studyId, draft, key) =>
      write((query) => trials.addOnce(query, studyId, draft, key)),
    write: (claim, changes) => write((query) => trials.change(query, claim, changes, null)),
    finish: (claim, changes, end) => write((query) => trials.change(query, claim, changes, end)),
    heartbeat: (trialIds, now) => write((query) => trials.beat(query, trialIds, now)),
    reclaim: (studyId, now, lease) => write((query) => trials.reclaim(query, studyId, now, lease)),
    readTrials: (studyId, afterId, openIds) =>
      read((query) => trials.select(query, studyId, afterId, openIds)),

    setLineage: (studyId, lineage) =>
      write(async (query) => {
        // no trial may come between the count of those that are there and the first that a trigger counts
        await trials.lock(query, studyId);
        await insertLineage(query, studyId, lineage);
      }),
    readLineage: (lineageId) => read((query) => selectLineageStudies(query, lineageId)),
    findLineage: (studyId) => read((query) => selectLineage(query, studyId)),
    setProvenance: (studyId, number, provenance) =>
      write((query) => upsertProvenance(query, studyId, number, provenance)),
    findProvenance: (studyId, number) => read((query) => selectProvenance(query, studyId, number)),
    close: () => engine.close(),
  };
}

async function insertStudy(
  query: Query,
  name: string,
  directions: StoredStudy['directions'],
): Promise<StoredStudy> {
  const [row] = await query(
    `INSERT INTO studies (study_name) VALUES ($1) ON CONFLICT (study_name) DO NOTHING
     RETURNING study_id`,
    [name],
  );
  if (row === undefined) throw duplicateStudy(name);
  const id = readInteger(row.study_id);
  for (const [objective, direction] of directions.entries()) {
    await query(
      'INSERT INTO study_directions (study_id, direction, objective) VALUES ($1, $2, $3)',
      [id, direction, objective],
    );
  }
  return { id, name, directions: [...directions] };
}

/** The study of a name, or all. */
async function selectStudies(query: Query, name: string | null): Promise<readonly StoredStudy[]> {
  const rows = await query(
    `SELECT study_id, study_name, direction FROM studies JOIN study_directions USING (study_id)
     ${name === null ? '' : 'WHERE study_name = $1'} ORDER BY study_id, objective`,
    name === null ? [] : [name],
  );
  const studies = new Map<
    number,
    { id: number; name: string; directions: StoredStudy['directions'] }
  >();
  for (const row of rows) {
    const id = readInteger(row.study_id);
    const study = studies.get(id) ?? { id, name: String(row.study_name), directions: [] };
    study.directions = [...study.directions, readDirection(row.direction)];
    studies.set(id, study);
  }
  return [...studies.values()];
}

async function deleteStudy(query: Query, studyId: number): Promise<void> {
  for (const table of [
    'trial_params',
    'trial_intermediate_values',
    'trial_values',
    'trial_user_attributes',
    'trial_system_attributes',
    'trial_heartbeats',
  ]) {
    await query(
      `DELETE FROM ${table} WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = $1)`,
      [studyId],
    );
  }
  for (const table of [
    'trials',
    'study_directions',
    'study_user_attributes',
    'study_system_attributes',
    'studies',
  ]) {
    await query(`DELETE FROM ${table} WHERE study_id = $1`, [studyId]);
  }
}

const attributeTables: Readonly<Record<AttributeKind, string>> = {
  user: 'study_user_attributes',
  system: 'study_system_attributes',
};

async function upsertStudyAttributes(
  query: Query,
  studyId: number,
  kind: AttributeKind,
  attributes: ReadonlyMap<string, Json>,
): Promise<void> {
  await requireStudy(query, studyId);
  for (const [key, value] of attributes) {
    await query(
      `INSERT INTO ${attributeTables[kind]} (study_id, "key", value_json) VALUES ($1, $2, $3)
       ON CONFLICT (study_id, "key") DO UPDATE SET value_json = excluded.value_json`,
      [studyId, key, jsonText(value)],
    );
  }
}

async function selectStudyAttributes(query: Query, studyId: number, kind: AttributeKind) {
  await requireStudy(query, studyId);
  const rows = await query(
    `SELECT "key", value_json FROM ${attributeTables[kind]} WHERE study_id = $1 ORDER BY "key"`,
    [studyId],
  );
  return new Map(
    rows.map((row) => [String(row.key), parseJson(row.value_json, `attribute ${String(row.key)}`)]),
  );
}

async function requireStudy(query: Query, studyId: number): Promise<void> {
  const found = await query('SELECT study_id FROM studies WHERE study_id = $1', [studyId]);
  if (found.length === 0) throw missingStudy(studyId);
}
