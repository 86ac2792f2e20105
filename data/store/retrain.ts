// What one retrain leaves in the tables: everything, or nothing.

import type { RunRecord } from '../../core/index.ts';
import type { Database } from './database.ts';
import { type DatasetRow, recordDataset } from './datasets.ts';
import { type ModelRow, recordModel } from './models.ts';
import { type OosTouch, recordOosTouch } from './oosTouches.ts';
import { recordRuns } from './runs.ts';
import { saveVerdict } from './verdicts.ts';

/** The rows of one retrain. */
export interface RetrainRows {
  readonly dataset: DatasetRow;
  readonly models: readonly ModelRow[];
  readonly runs: readonly RunRecord[];
  readonly oosTouches: readonly OosTouch[];
  /** the gate's verdict over all runs, if it was asked */
  readonly verdict: {
    readonly value: Readonly<Record<string, unknown>>;
    readonly at: number;
  } | null;
}

/** Writes the rows of a retrain in one transaction. */
export async function recordRetrain(db: Database, rows: RetrainRows): Promise<void> {
  await db.transaction(async (tx) => {
    await recordDataset(tx, rows.dataset);
    for (const model of rows.models) await recordModel(tx, model);
    await recordRuns(tx, rows.runs);
    for (const touch of rows.oosTouches) await recordOosTouch(tx, touch);
    if (rows.verdict !== null) await saveVerdict(tx, rows.verdict.value, rows.verdict.at);
  });
}
