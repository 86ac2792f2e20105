// The bar store on disk: `<store>/<data_version>/bars.parquet` and `bars.json`. A folder appears whole, by rename;
// two imports of the same thing end with one folder, and what a killed import left is swept by the next.

import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { parseStrict, readJson, writeFileAtomic } from '../../core/index.ts';
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
  const staging = mkdtempSync(join(store, `${stagingPrefix()}${process.pid}-`));
  try {
    return await work(staging);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

const stagingPrefix = () => `.staging-${hostname()}-`;

/** Removes the staging folders of processes of this host that are gone. */
function sweepStaging(store: string): void {
  const prefix = stagingPrefix();
  for (const name of readdirSync(store)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number.parseInt(name.slice(prefix.length), 10);
    if (!isAlive(pid)) rmSync(join(store, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
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
