// `gate_verdicts`: what the gate said, with the filters and run ids from which it can be said again.

import { z } from 'zod';
import { dataRegimeSchema, digestOf, parseStrict } from '../../core/index.ts';
import { jsonCell, timeCell, timeColumn } from './cells.ts';
import type { Queryable } from './database.ts';

/** A verdict as the gate's room builds it; the store reads no more of it than its columns need. */
export const storedVerdictSchema = z.looseObject({
  status: z.enum(['pass', 'fail', 'insufficient_observation']),
  data_regime: dataRegimeSchema,
  run_ids: z.array(z.string()),
});

/** What {@link storedVerdictSchema} lets through. */
export type StoredVerdict = z.infer<typeof storedVerdictSchema>;

const rowSchema = z.strictObject({
  verdict_id: z.string(),
  verdict: storedVerdictSchema,
  created_at: timeColumn,
});

/** The row of `gate_verdicts`. */
export type VerdictRow = z.infer<typeof rowSchema>;

/**
 * Stores a verdict.
 * @param createdAt Unix ms UTC
 * @returns its id: the sha256 of the verdict and its time, so the same one stored twice is one row
 */
export async function saveVerdict(
  db: Queryable,
  verdict: Readonly<Record<string, unknown>>,
  createdAt: number,
): Promise<string> {
  const stored = parseStrict(storedVerdictSchema, verdict, 'verdict', 'input_invalid');
  const id = digestOf({ verdict: stored, created_at: createdAt });
  await db.query(
    `INSERT INTO gate_verdicts (verdict_id, status, data_regime, run_ids, verdict, created_at)
     VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6) ON CONFLICT (verdict_id) DO NOTHING`,
    [
      id,
      stored.status,
      stored.data_regime,
      jsonCell(stored.run_ids),
      jsonCell(stored),
      timeCell(createdAt),
    ],
  );
  return id;
}

/** The verdict with this id. */
export async function findVerdict(db: Queryable, id: string): Promise<VerdictRow | undefined> {
  const rows = await db.query(
    'SELECT verdict_id, verdict, created_at FROM gate_verdicts WHERE verdict_id = $1',
    [id],
  );
  return parseStrict(z.array(rowSchema), rows, 'gate_verdicts', 'internal')[0];
}

/** The newest verdicts, newest first. */
export async function latestVerdicts(db: Queryable, limit: number): Promise<VerdictRow[]> {
  const rows = await db.query(
    'SELECT verdict_id, verdict, created_at FROM gate_verdicts ORDER BY created_at DESC, verdict_id LIMIT $1',
    [limit],
  );
  return parseStrict(z.array(rowSchema), rows, 'gate_verdicts', 'internal');
}
