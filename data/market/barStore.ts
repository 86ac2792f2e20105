// The bar store on disk: `<store>/<data_version>/bars.parquet` and `bars.json`. A folder appears whole, by rename;
// two imports of the same thing end with one folder, and what a killed import left is swept by the next.

import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import {
  parseStrict,
  readJson,
  stagingPath,
  sweepStaging,
  writeFileAtomic,
} from '../../core/index.ts';
import { type ImportReport, importReportSchema, type StoredReport } from './barReport.ts';

/** Name of the bars in their folder. */
export const barsFile = 'bars.parquet';
const reportFile = 'bars.json';

/**
 * The report of stored bars.
 * @param storePath `<store>/<data_version>`
 * @throws SluiceError `input_missing` | `input_invalid`
 */
export function readReport(storePath: string): ImportReport {
  const path = resolve(storePath);
  const file = join(path, reportFile);
  return { ...parseStrict(importReportSchema, readJson(file), file, 'input_invalid'), path };
}

/** The report of a version, if the store has it. */
export function storedReport(store: string, dataVersion: string): ImportReport | undefined {
  const path = join(store, dataVersion);
  return existsSync(path) ? readReport(path) : undefined;
}

/** sha256 of a file, read as a stream. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** Gives the work a hidden folder of its own inside the store and removes it afterwards, come what may. */
export async function withStaging<T>(
  store: string,
  work: (staging: string) => Promise<T>,
): Promise<T> {
  mkdirSync(store, { recursive: true });
  sweepStaging(store);
  const staging = stagingPath(join(store, `import-${randomUUID()}`));
  mkdirSync(staging);
  try {
    return await work(staging);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/**
 * Moves prepared bars to their place; if someone was faster with the same version, theirs stay.
 * @param prepared folder that holds `bars.parquet`, below a staging folder of the same store
 */
export function publishBars(store: string, prepared: string, report: StoredReport): ImportReport {
  flush(join(prepared, barsFile));
  writeFileAtomic(join(prepared, reportFile), `${JSON.stringify(report, null, 2)}\n`);
  const place = join(store, report.data_version);
  try {
    renameSync(prepared, place);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  return readReport(place);
}

function flush(path: string): void {
  const fd = openSync(path, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
