// A storage over a database that has Optuna's tables; the SQL that SQLite and PostgreSQL share.

import type {
  AttributeKind,
  FrozenTrial,
  Json,
  Lease,
  Storage,
  StoredStudy,
  TrialChanges,
  TrialClaim,
  TrialDraft,
  TrialEnd,
} from '../study/index.ts';
import { createDistributionReader } from './distributionJson.ts';
import type { Engine, Query } from './engine.ts';
import { jsonText, parseJson } from './json.ts';
import {
  insertLineage,
  selectLineage,
  selectLineageStudies,
  selectProvenance,
  upsertProvenance,
} from './lineage.ts';
import { duplicateStudy, missingStudy, retriesKey } from './rules.ts';
import { insertRows, rowsOf, selectTrials } from './trialRows.ts';
import { optionalTimeText, readDirection, readInteger, timeText } from './values.ts';

/** The storage of an engine. */
export function createRelationalStorage(engine: Engine): Storage {
  const { read, write } = engine;
  const trials = createTrialStatements(engine);
  return {
    createStudy: (name, directions) => write((query) => insertStudy(query, name, directions)),
    findStudy: (name) => read(async (query) => (await selectStudies(query, name))[0] ?? null),
    listStudies: () => read((query) => selectStudies(query, null)),
    deleteStudy: (studyId) => write((query) => deleteStudy(query, studyId)),
    setStudyAttributes: (studyId, kind, attributes) =>
      write((query) => upsertStudyAttributes(query, studyId, kind, attributes)),
    readStudyAttributes: (studyId, kind) =>
      read((query) => selectStudyAttributes(query, studyId, kind)),

    ask: (studyId, now, lease) => write((query) => trials.ask(query, studyId, now, lease)),
    addTrial: (studyId, draft) => write((query) => trials.add(query, studyId, draft)),
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
  ]) {
    await query(`DELETE FROM ${table} WHERE study_id = $1`, [studyId]);
  }
  const gone = await query('DELETE FROM studies WHERE study_id = $1 RETURNING study_id', [studyId]);
  if (gone.length === 0) throw missingStudy(studyId);
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

/** The statements on trials; distributions are read once for all of them. */
function createTrialStatements(engine: Engine) {
  const readDistribution = createDistributionReader();
  const select = (query: Query, studyId: number, afterId: number, openIds: readonly number[]) =>
    selectTrials(engine, query, readDistribution, studyId, afterId, openIds);

  const lock = async (query: Query, studyId: number): Promise<void> => {
    const locked = await query(engine.lockStudy, [studyId]);
    if (locked.length === 0) throw missingStudy(studyId);
  };

  const add = async (query: Query, studyId: number, draft: TrialDraft): Promise<FrozenTrial> => {
    await lock(query, studyId);
    const [row] = await query(
      `INSERT INTO trials (study_id, number, state, datetime_start, datetime_complete)
       VALUES ($1, coalesce((SELECT number + 1 FROM trials WHERE study_id = $1 ORDER BY trial_id DESC LIMIT 1), 0),
               $2, $3, $4)
       RETURNING trial_id, number`,
      [
        studyId,
        draft.state,
        optionalTimeText(draft.startedAt),
        optionalTimeText(draft.completedAt),
      ],
    );
    const id = readInteger(row!.trial_id);
    await insertRows(engine, query, rowsOf(id, draft, draft.values));
    return { ...draft, id, number: readInteger(row!.number) };
  };

  const claimWaiting = async (query: Query, studyId: number, now: number) => {
    const [row] = await query(
      `UPDATE trials SET state = 'RUNNING', datetime_start = $2
       WHERE state = 'WAITING'
         AND trial_id = (SELECT min(trial_id) FROM trials WHERE study_id = $1 AND state = 'WAITING')
       RETURNING trial_id`,
      [studyId, timeText(now)],
    );
    if (row === undefined) return undefined;
    const id = readInteger(row.trial_id);
    return (await select(query, studyId, noneAfter, [id]))[0];
  };

  const reclaim = async (query: Query, studyId: number, now: number, lease: Lease) => {
    await lock(query, studyId);
    const stale = await query(
      `SELECT trials.trial_id AS trial_id, number, value_json AS retries
       FROM trials JOIN trial_heartbeats ON trial_heartbeats.trial_id = trials.trial_id
       LEFT JOIN trial_system_attributes AS attribute
         ON attribute.trial_id = trials.trial_id AND attribute."key" = $3
       WHERE study_id = $1 AND state = 'RUNNING' AND heartbeat < $2
       ORDER BY number`,
      [studyId, timeText(lease.staleBefore), retriesKey],
    );
    const numbers: number[] = [];
    for (const { trial_id, number, retries } of stale) {
      const id = readInteger(trial_id);
      const used = retries === null ? 0 : readInteger(parseJson(retries, retriesKey));
      const end = used >= lease.maxRetries ? fail(query, id, now) : requeue(query, id, used + 1);
      if (await end) numbers.push(readInteger(number));
    }
    return numbers;
  };

  const fail = async (query: Query, id: number, now: number): Promise<boolean> => {
    const [row] = await query(
      `UPDATE trials SET state = 'FAIL', datetime_complete = $2
       WHERE trial_id = $1 AND state = 'RUNNING' RETURNING trial_id`,
      [id, timeText(now)],
    );
    await query('DELETE FROM trial_heartbeats WHERE trial_id = $1', [id]);
    return row !== undefined;
  };

  const requeue = async (query: Query, id: number, retries: number): Promise<boolean> => {
    const [row] = await query(
      `UPDATE trials SET state = 'WAITING', datetime_start = NULL
       WHERE trial_id = $1 AND state = 'RUNNING' RETURNING trial_id`,
      [id],
    );
    if (row === undefined) return false;
    await query('DELETE FROM trial_heartbeats WHERE trial_id = $1', [id]);
    await query('DELETE FROM trial_params WHERE trial_id = $1', [id]);
    await query('DELETE FROM trial_intermediate_values WHERE trial_id = $1', [id]);
    await query(
      `DELETE FROM trial_system_attributes WHERE trial_id = $1 AND "key" <> 'fixed_params'`,
      [id],
    );
    await engine.insert(query, 'trial_system_attributes', [[id, retriesKey, jsonText(retries)]]);
    return true;
  };

  const beat = async (query: Query, trialIds: readonly number[], now: number): Promise<void> => {
    for (const id of [...trialIds].sort((a, b) => a - b)) {
      const [running] = await query(
        `SELECT trial_id FROM trials WHERE trial_id = $1 AND state = 'RUNNING'`,
        [id],
      );
      if (running === undefined) continue;
      await query(
        `INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES ($1, $2)
         ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat`,
        [id, timeText(now)],
      );
    }
  };

  return {
    lock,
    select,
    add,
    beat,
    reclaim,
    ask: async (query: Query, studyId: number, now: number, lease: Lease | null) => {
      if (lease === null) await lock(query, studyId);
      else await reclaim(query, studyId, now, lease);
      const trial =
        (await claimWaiting(query, studyId, now)) ??
        (await add(query, studyId, { ...fresh, startedAt: now }));
      if (lease !== null) await beat(query, [trial.id], now);
      return trial;
    },
    /** Changes a trial whose claim holds, and ends it. */
    change: async (
      query: Query,
      claim: TrialClaim,
      changes: TrialChanges,
      end: TrialEnd | null,
    ): Promise<boolean> => {
      if (!(await holds(query, claim, end))) return false;
      await insertRows(engine, query, rowsOf(claim.id, changes, end?.values ?? null));
      if (end !== null) {
        await query('DELETE FROM trial_heartbeats WHERE trial_id = $1', [claim.id]);
      }
      return true;
    },
  };
}

/**
 * Whether a claim holds; its trial's row is changed, if only to itself, so that it holds until the transaction ends.
 * The start tells one run of a trial from the next; a database may keep it finer than we do.
 */
async function holds(query: Query, claim: TrialClaim, end: TrialEnd | null): Promise<boolean> {
  const from = claim.startedAt ?? 0;
  const rows = await query(
    `UPDATE trials SET state = $4, datetime_complete = $5
     WHERE trial_id = $1 AND state = 'RUNNING'
       AND (datetime_start IS NULL OR (datetime_start >= $2 AND datetime_start < $3))
     RETURNING trial_id`,
    [
      claim.id,
      timeText(from),
      timeText(claim.startedAt === null ? maxTime : from + 1),
      end?.state ?? 'RUNNING',
      optionalTimeText(end?.completedAt ?? null),
    ],
  );
  return rows.length > 0;
}

/** The largest id that both databases can hold. */
const noneAfter = 2 ** 31 - 1;

const maxTime = Date.UTC(9999, 0);

const fresh: TrialDraft = {
  state: 'RUNNING',
  values: null,
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: null,
  completedAt: null,
};
