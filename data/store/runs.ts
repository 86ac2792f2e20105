// `backtest_runs`: finished runs, written whole and never changed. The only thing that a gate reads.

import { z } from 'zod';
import {
  type DataRegime,
  dataRegimeSchema,
  parseStrict,
  type RunRecord,
  type RunSource,
  runRecordSchema,
  runSourceSchema,
  type ScoreSource,
  scoreSourceSchema,
} from '../../core/index.ts';
import { jsonCell, optionalTimeCell, timeCell, timeColumn } from './cells.ts';
import type { Queryable } from './database.ts';

const columns =
  'run_id, run_source, score_source, data_regime, status, config, metrics, lineage_id, artifact_digest, started_at, finished_at';

const rowSchema = runRecordSchema.extend({
  started_at: timeColumn,
  finished_at: timeColumn.nullable(),
});

const finishedSchema = z.array(
  runRecordSchema.extend({ status: z.enum(['completed', 'failed']), finished_at: z.number() }),
);

/** Which runs to read; what is absent does not restrict. */
export interface RunFilter {
  readonly runSources?: readonly RunSource[];
  readonly scoreSources?: readonly ScoreSource[];
  readonly dataRegimes?: readonly DataRegime[];
  readonly statuses?: readonly RunRecord['status'][];
  readonly policies?: readonly string[];
  readonly artifactDigests?: readonly string[];
  readonly runIds?: readonly string[];
}

const tallySchema = runRecordSchema.pick({ status: true, artifact_digest: true }).extend({
  run_source: runSourceSchema,
  score_source: scoreSourceSchema,
  data_regime: dataRegimeSchema,
  policy: z.string(),
  runs: z.int().positive(),
});

/** How many runs carry these labels. */
export type RunTally = z.infer<typeof tallySchema>;

/**
 * Adds finished runs, all or none, in one statement. A run is written once, when it has ended: a killed
 * process leaves no row behind, and there is none to clean up.
 * @throws SluiceError `input_invalid` (unfinished, or not a run record) | `not_canonical` (NaN) |
 *   `database_refused` (the run_id exists)
 */
export async function recordRuns(db: Queryable, runs: readonly RunRecord[]): Promise<void> {
  const rows = parseStrict(finishedSchema, runs, 'finished runs', 'input_invalid').map((run) => ({
    ...run,
    started_at: timeCell(run.started_at),
    finished_at: optionalTimeCell(run.finished_at),
  }));
  await db.query(
    `INSERT INTO backtest_runs (${columns})
     SELECT ${columns} FROM jsonb_to_recordset($1::jsonb) AS run(
       run_id text, run_source text, score_source text, data_regime text, status text, config jsonb, metrics jsonb,
       lineage_id text, artifact_digest text, started_at timestamptz, finished_at timestamptz
     )`,
    [jsonCell(rows)],
  );
}

/** Finished runs, oldest first. */
export async function finishedRuns(db: Queryable, filter: RunFilter = {}): Promise<RunRecord[]> {
  const rows = await db.query(
    `SELECT ${columns} FROM backtest_runs
     WHERE status <> 'running'
       AND ($1::text[] IS NULL OR run_source = ANY ($1))
       AND ($2::text[] IS NULL OR score_source = ANY ($2))
       AND ($3::text[] IS NULL OR data_regime = ANY ($3))
       AND ($4::text[] IS NULL OR status = ANY ($4))
       AND ($5::text[] IS NULL OR config ->> 'policy' = ANY ($5))
       AND ($6::text[] IS NULL OR artifact_digest = ANY ($6))
       AND ($7::text[] IS NULL OR run_id = ANY ($7))
     ORDER BY finished_at, run_id`,
    [
      filter.runSources ?? null,
      filter.scoreSources ?? null,
      filter.dataRegimes ?? null,
      filter.statuses ?? null,
      filter.policies ?? null,
      filter.artifactDigests ?? null,
      filter.runIds ?? null,
    ],
  );
  return parseStrict(z.array(rowSchema), rows, 'backtest_runs', 'internal');
}

/** Counts of all runs by their labels: what a gate leaves out is counted without being read. */
export async function tallyRuns(db: Queryable): Promise<RunTally[]> {
  const rows = await db.query(
    `SELECT run_source, score_source, data_regime, status, config ->> 'policy' AS policy, artifact_digest,
            count(*)::int AS runs
     FROM backtest_runs GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6`,
  );
  return parseStrict(z.array(tallySchema), rows, 'backtest_runs', 'internal');
}
