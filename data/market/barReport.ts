// What an import tells: the sidecar beside the bars, the JSON of `data import`, and the same as text.

import { z } from 'zod';

const rejectedRow = z.strictObject({ file: z.string(), line: z.int(), reason: z.string() });

/** Order of the rows of a file by time, per symbol. */
export const rowOrderSchema = z.enum(['oldest_first', 'newest_first', 'shuffled']);
/** What {@link rowOrderSchema} lets through. */
export type RowOrder = z.infer<typeof rowOrderSchema>;

/** What was found of one symbol. Times are bar opens, Unix ms; null when no row was stored. */
const symbolReport = z.strictObject({
  symbol: z.string(),
  rows: z.int(),
  from: z.number().nullable(),
  to: z.number().nullable(),
  /** Runs of missing bars between two stored ones, and the bars they lack. */
  gaps: z.int(),
  missing_bars: z.int(),
  /** Rejected: a later row for a bar already there; of these, how many said something else. */
  duplicates: z.int(),
  conflicting_duplicates: z.int(),
  /** Rejected: the stamp is not a whole number of bars from the epoch. */
  off_grid: z.int(),
  /** Stored and flagged. */
  zero_volume: z.int(),
  /** Stored rows whose stamp was converted to ms. */
  microsecond_stamps: z.int(),
  second_stamps: z.int(),
});
/** What {@link symbolReport} lets through. */
export type SymbolReport = z.infer<typeof symbolReport>;

/** The report of an import; stored as `bars.json` beside `bars.parquet`. */
export const importReportSchema = z.strictObject({
  format: z.literal('sluice-bars/1'),
  rows: z.int(),
  timeframe: z.string(),
  timeframe_ms: z.int(),
  venue: z.string(),
  from: z.number(),
  to: z.number(),
  symbols: z.array(symbolReport),
  /** The first 1,000 in file and line order. */
  rejected: z.array(rejectedRow),
  rejected_count: z.int(),
  rejected_by_kind: z.record(z.string(), z.int()),
  order: rowOrderSchema,
  data_version: z.string(),
  files: z.array(
    z.strictObject({
      file: z.string(),
      sha256: z.string(),
      venue: z.string(),
      order: rowOrderSchema,
    }),
  ),
  /** sha256 of `bars.parquet`, checked at every load. */
  bars_sha256: z.string(),
});
/** What {@link importReportSchema} lets through. */
export type StoredReport = z.infer<typeof importReportSchema>;

/** A stored report and the folder in which it lies. */
export type ImportReport = StoredReport & { readonly path: string };
