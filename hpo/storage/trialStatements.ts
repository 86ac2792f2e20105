// Transactions on trials: made, claimed, changed, taken back.

import { isDeepStrictEqual } from 'node:util';
import {
  type FrozenTrial,
  type Lease,
  type TrialChanges,
  type TrialClaim,
  type TrialDraft,
  type TrialEnd,
  unstarted,
} from '../study/index.ts';
import { createDistributionReader } from './distributionJson.ts';
import type { Engine, Query } from './engine.ts';
import { jsonText, parseJson } from './json.ts';
import { missingStudy, retriesKey, tellingValue } from './rules.ts';
import { insertRows, rowsOf, selectTrials } from './trialRows.ts';
import { optionalTimeText, readInteger, timeText } from './values.ts';

/** The statements on trials; distributions are read once for all of them. */
export function createTrialStatements(engine: Engine) {
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

  const addOnce = async (query: Query, studyId: number, draft: TrialDraft, key: string) => {
    const value = tellingValue(draft, key);
    // before the look: who holds the study sees every trial that another added
    await lock(query, studyId);
    const known = await query(
      `SELECT value_json FROM trial_user_attributes AS attribute
       JOIN trials ON trials.trial_id = attribute.trial_id
       WHERE study_id = $1 AND attribute."key" = $2`,
      [studyId, key],
    );
    const isThere = known.some((row) =>
      isDeepStrictEqual(parseJson(row.value_json, `attribute ${key}`), value),
    );
    return isThere ? null : add(query, studyId, draft);
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
    // in one order, so that no two wait for each other
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
    addOnce,
    beat,
    reclaim,
    ask: async (query: Query, studyId: number, now: number, lease: Lease | null) => {
      if (lease === null) await lock(query, studyId);
      else await reclaim(query, studyId, now, lease);
      const trial =
        (await claimWaiting(query, studyId, now)) ??
        (await add(query, studyId, { ...unstarted, state: 'RUNNING', startedAt: now }));
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
 * Whether a claim holds; its row is written, if only as it was, so that it holds until the transaction ends. The start
 * tells one run of a trial from the next; a database may keep it finer than we do.
 */
async function holds(query: Query, claim: TrialClaim, end: TrialEnd | null): Promise<boolean> {
  const { id, startedAt } = claim;
  const rows = await query(
    `UPDATE trials SET state = $4, datetime_complete = $5
     WHERE trial_id = $1 AND state = 'RUNNING'
       AND (datetime_start IS NULL OR (datetime_start >= $2 AND datetime_start < $3))
     RETURNING trial_id`,
    [
      id,
      timeText(startedAt ?? 0),
      timeText(startedAt === null ? maxTime : startedAt + 1),
      end?.state ?? 'RUNNING',
      optionalTimeText(end?.completedAt ?? null),
    ],
  );
  return rows.length > 0;
}

/** The largest id that both databases can hold. */
const noneAfter = 2 ** 31 - 1;

const maxTime = Date.UTC(9999, 0);
