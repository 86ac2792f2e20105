// `oos_touches`: every look of a candidate at its forward-OOS window. One is the rule; more are recorded,
// counted and reported.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import { timeCell } from './cells.ts';
import type { Queryable } from './database.ts';

/** One look. Times are Unix ms UTC. */
export const oosTouchSchema = z.strictObject({
  /** digest of what makes the candidate: its config and data */
  candidate: z.string().min(1),
  data_version: z.string().min(1),
  window: z.strictObject({ from: z.number(), to: z.number() }),
  run_id: z.string().min(1),
  touched_at: z.number(),
});

/** What {@link oosTouchSchema} lets through. */
export type OosTouch = z.infer<typeof oosTouchSchema>;

/** Records a look. */
export async function recordOosTouch(db: Queryable, touch: OosTouch): Promise<void> {
  const row = parseStrict(oosTouchSchema, touch, 'forward-OOS touch', 'input_invalid');
  await db.query(
    `INSERT INTO oos_touches (candidate, data_version, window_from, window_to, run_id, touched_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [
      row.candidate,
      row.data_version,
      timeCell(row.window.from),
      timeCell(row.window.to),
      row.run_id,
      timeCell(row.touched_at),
    ],
  );
}

/** Looks of a candidate at any window that overlaps this one: a shifted window is no fresh one. */
export async function countOosTouches(
  db: Queryable,
  candidate: string,
  window: OosTouch['window'],
): Promise<number> {
  const rows = await db.query(
    `SELECT count(*)::int AS touches FROM oos_touches
     WHERE candidate = $1 AND window_from < $3 AND $2 < window_to`,
    [candidate, timeCell(window.from), timeCell(window.to)],
  );
  return parseStrict(z.tuple([z.object({ touches: z.int() })]), rows, 'oos_touches', 'internal')[0]
    .touches;
}
