// `datasets`: one row for each version of the bars, named by its sha256.

import { z } from 'zod';
import { parseStrict } from '../../core/index.ts';
import { jsonCell, timeCell, timeColumn } from './cells.ts';
import type { Queryable } from './database.ts';

/** The row of `datasets`. Times are Unix ms UTC. */
export const datasetRowSchema = z.strictObject({
  data_version: z.string().min(1),
  path: z.string().min(1),
  timeframe: z.string(),
  row_count: z.int().nonnegative(),
  symbols: z.array(z.string()),
  range_from: z.number(),
  range_to: z.number(),
  venue: z.string().min(1),
  simulated: z.boolean(),
  /** each source file: its hash and what else the importer knows of it */
  sources: z.array(z.record(z.string(), z.unknown())),
  /** the importer's report */
  report: z.record(z.string(), z.unknown()),
  created_at: z.number(),
});

/** What {@link datasetRowSchema} lets through. */
export type DatasetRow = z.infer<typeof datasetRowSchema>;

const rowSchema = datasetRowSchema.extend({
  range_from: timeColumn,
  range_to: timeColumn,
  created_at: timeColumn,
});

/** Adds a dataset; the same version once more changes nothing. */
export async function recordDataset(db: Queryable, dataset: DatasetRow): Promise<void> {
  const row = parseStrict(datasetRowSchema, dataset, 'dataset', 'input_invalid');
  await db.query(
    `INSERT INTO datasets (data_version, path, timeframe, row_count, symbols, range_from, range_to, venue,
       simulated, sources, report, created_at)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12)
     ON CONFLICT (data_version) DO NOTHING`,
    [
      row.data_version,
      row.path,
      row.timeframe,
      row.row_count,
      jsonCell(row.symbols),
      timeCell(row.range_from),
      timeCell(row.range_to),
      row.venue,
      row.simulated,
      jsonCell(row.sources),
      jsonCell(row.report),
      timeCell(row.created_at),
    ],
  );
}

/** All datasets, oldest first. */
export async function listDatasets(db: Queryable): Promise<DatasetRow[]> {
  const rows = await db.query(
    `SELECT data_version, path, timeframe, row_count::float8 AS row_count, symbols, range_from, range_to, venue,
       simulated, sources, report, created_at
     FROM datasets ORDER BY created_at, data_version`,
  );
  return parseStrict(z.array(rowSchema), rows, 'datasets', 'internal');
}
