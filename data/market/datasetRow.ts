// Stored bars as their row of the table `datasets`: what a catalogue keeps of an import.

import { resolve } from 'node:path';
import type { ImportReport } from './barReport.ts';

/** The row; column names of the table, times Unix ms. @param createdAt Unix ms */
export function datasetRow(stored: ImportReport, createdAt: number) {
  return {
    data_version: stored.data_version,
    path: resolve(stored.path),
    timeframe: stored.timeframe,
    row_count: stored.rows,
    symbols: stored.symbols.map(({ symbol }) => symbol),
    range_from: stored.from,
    range_to: stored.to,
    venue: stored.venue,
    simulated: stored.files.some(({ venue }) => venue === 'simulator'),
    sources: stored.files.map((file) => ({ ...file })),
    report: { ...stored },
    created_at: createdAt,
  };
}
