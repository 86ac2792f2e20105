// `search_trials` and `gate_candidates`: what searches leave behind whatever becomes of their studies.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import { jsonCell, timeCell, timeColumn } from './cells.ts';
import type { Queryable } from './database.ts';

/** Raises the count of a study's trials; a smaller count changes nothing. */
export async function recordSearchTrials(
  db: Queryable,
  market: string,
  studyName: string,
  trials: number,
): Promise<void> {
  await db.query(
    `INSERT INTO search_trials (market, study_name, trials) VALUES ($1, $2, $3)
     ON CONFLICT (market, study_name)
     DO UPDATE SET trials = greatest(search_trials.trials, excluded.trials)`,
    [market, studyName, trials],
  );
}

/** Trials of all searches ever made on a market. */
export async function countSearchTrials(db: Queryable, market: string): Promise<number> {
  const rows = await db.query(
    'SELECT coalesce(sum(trials), 0)::int AS trials FROM search_trials WHERE market = $1',
    [market],
  );
  const [row] = parseStrict(
    z.tuple([z.object({ trials: z.int() })]),
    rows,
    'search_trials',
    'internal',
  );
  return row.trials;
}

/** The row of `gate_candidates`. Times are Unix ms UTC. */
export const gateCandidateSchema = z.strictObject({
  candidate: z.string(),
  market: z.string(),
  data_version: z.string(),
  data_regime: z.literal('prod_live'),
  /** of a retrain, whole */
  config: z.record(z.string(), z.unknown()),
  /** its trial in each stage, coarse first */
  stages: z
    .array(
      z.strictObject({ study_name: z.string(), number: z.int().nonnegative(), value: z.number() }),
    )
    .length(3),
  lineage_id: z.string(),
  trial_count: z.int().positive(),
  evidence: z.record(z.string(), z.unknown()),
  registered_at: z.number(),
});

/** What {@link gateCandidateSchema} lets through. */
export type GateCandidate = z.infer<typeof gateCandidateSchema>;

const columns =
  'candidate, market, data_version, data_regime, config, stages, lineage_id, trial_count, evidence, registered_at';

/** Adds a candidate; the same one once more changes nothing. */
export async function recordGateCandidate(db: Queryable, candidate: GateCandidate): Promise<void> {
  const row = parseStrict(gateCandidateSchema, candidate, 'gate candidate', 'input_invalid');
  await db.query(
    `INSERT INTO gate_candidates (${columns})
     VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, $9::jsonb, $10)
     ON CONFLICT (candidate) DO NOTHING`,
    [
      row.candidate,
      row.market,
      row.data_version,
      row.data_regime,
      jsonCell(row.config),
      jsonCell(row.stages),
      row.lineage_id,
      row.trial_count,
      jsonCell(row.evidence),
      timeCell(row.registered_at),
    ],
  );
}

const rowSchema = gateCandidateSchema.extend({
  trial_count: z.coerce.number(),
  registered_at: timeColumn,
});

/** Candidates of a market, oldest first. */
export async function gateCandidates(db: Queryable, market: string): Promise<GateCandidate[]> {
  const rows = await db.query(
    `SELECT ${columns} FROM gate_candidates WHERE market = $1 ORDER BY registered_at, candidate`,
    [market],
  );
  return parseStrict(z.array(rowSchema), rows, 'gate_candidates', 'internal');
}
