// Small tables and throw-away folders for the tests of the bar store.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { asSluiceError, type SluiceError, silent } from '../../../core/index.ts';
import { type ImportOptions, type ImportReport, importBars } from '../../../data/market/index.ts';

export const header = 'symbol,ts,open,high,low,close,volume';
export const firstMs = 1_704_067_200_000;
export const hour = 3_600_000;

/** A good row: hour `t` of a symbol. */
export const row = (t: number, symbol = 'AAA', close = 10 + t): string =>
  `${symbol},${firstMs + t * hour},10,${Math.max(10, close) + 1},9,${close},5`;

/** Removes every folder that {@link folder} made. */
export function removeFolders(): void {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
}
const made: string[] = [];

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-bars-'));
  made.push(path);
  return path;
}

/** Writes lines as a file; a name that ends in .gz is packed. */
export function writeLines(lines: readonly string[], name = 'bars.csv', end = '\n'): string {
  const path = join(folder(), name);
  const text = lines.map((line) => line + end).join('');
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}

/** Imports files into a store of their own, or into the one given. */
export const importInto = (
  inputs: string | readonly string[],
  options: Partial<ImportOptions> = {},
): Promise<ImportReport> =>
  importBars(
    { inputs: [inputs].flat(), timeframe: '1h', out: folder(), ...options },
    silent,
    new AbortController().signal,
  );

/** Imports a table of the given lines below the header. */
export const importRows = (
  rows: readonly string[],
  options: Partial<ImportOptions> = {},
): Promise<ImportReport> => importInto(writeLines([header, ...rows]), options);

/** The error that a promise ends with. */
export async function refusal(promise: Promise<unknown>): Promise<SluiceError> {
  try {
    await promise;
  } catch (error) {
    return asSluiceError(error);
  }
  throw new Error('Expected a refusal, but it went through.');
}
