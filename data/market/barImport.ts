// CSV, CSV.gz and Parquet to the bar store, in bounded memory: rows are judged one by one by SQL rules, sorted by
// (symbol, open time, place in the input), freed of repeats, scanned once for the report and the data_version, and
// published as one Parquet file and its report. Nothing is repaired; what is refused is listed with its line.

import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Progress, parseTimeframe, SluiceError } from '../../core/index.ts';
import { dataVersionOf } from './barContent.ts';
import { type BarFile, inspectBarFile } from './barFile.ts';
import { findBarLayout } from './barLayout.ts';
import { type RejectionCounts, readRejections } from './barRejections.ts';
import type { ImportReport, RowOrder, StoredReport, SymbolReport } from './barReport.ts';
import { selectBars } from './barRules.ts';
import { type BarScan, createBarScan, qualitySql, scanColumns } from './barScan.ts';
import { barsFile, fileSha256, publishBars, storedReport, withStaging } from './barStore.ts';
import { type Database, openDatabase, sqlText } from './duckdb.ts';

/** What to import. */
export interface ImportOptions {
  /** Files in the order in which repeats are judged: the earlier row stays. At most 256. */
  readonly inputs: readonly string[];
  /** Bar length, e.g. `1h`; the grid is whole bars from the epoch. */
  readonly timeframe: string;
  /** Folder of the bar store; bars go to `<out>/<data_version>`. */
  readonly out: string;
  /** Exchange and market, e.g. `binance_spot`; default `unknown`. */
  readonly venue?: string;
  /** Threads of the database; they change the time and nothing else. Default: up to 4. */
  readonly threads?: number;
}

/** An input already looked at, with the place of its rows among all rows read. */
interface Source extends BarFile {
  readonly venue: string;
  /** Number of the file's first row in the table of all rows, and the line on which it stands. */
  readonly firstOrdinal: number;
  readonly firstLine: number;
}

const memoryMib = 384;
const maxFiles = 256;

/**
 * Imports files of bars into the store; the same input again changes nothing and answers the same.
 * @returns the report, also kept beside the bars
 * @throws SluiceError `input_missing` | `input_invalid` (unreadable file, missing columns, no usable row) | `cancelled` | `io_failed`
 */
export async function importBars(
  options: ImportOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<ImportReport> {
  const { inputs, venue = 'unknown' } = options;
  if (inputs.length === 0 || inputs.length > maxFiles) {
    throw new SluiceError(
      'input_invalid',
      `An import takes 1 to ${maxFiles} files, found ${inputs.length}; import the rest in a second store folder or join files first.`,
    );
  }
  parseTimeframe(options.timeframe);
  const files: BarFile[] = [];
  for (const [i, input] of inputs.entries()) {
    progress.update('read', (0.2 * i) / inputs.length, input);
    files.push(await inspectBarFile(input, signal));
  }
  return importFiles(files, venue, options, progress, signal);
}

/** {@link importBars} for files already looked at; the simulator comes in here. */
export async function importFiles(
  files: readonly BarFile[],
  venue: string,
  options: Omit<ImportOptions, 'inputs' | 'venue'>,
  progress: Progress,
  signal: AbortSignal,
): Promise<ImportReport> {
  const store = resolve(options.out);
  const step = (stage: string, doneFrac: number, note?: string) => {
    progress.update(stage, doneFrac, note);
    signal.throwIfAborted();
  };
  return withStaging(store, async (staging) => {
    const database = await openDatabase({
      file: join(staging, 'import.duckdb'),
      spillFolder: join(staging, 'spill'),
      memoryMib,
      threads: options.threads ?? Math.min(4, availableParallelism()),
    });
    const interrupt = () => database.interrupt();
    signal.addEventListener('abort', interrupt);
    try {
      return await runImport({ database, store, staging, files, venue, options, step });
    } catch (error) {
      throw importError(error, signal);
    } finally {
      signal.removeEventListener('abort', interrupt);
      database.close();
    }
  });
}

function importError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) {
    return new SluiceError('cancelled', 'The import was stopped on request; nothing was stored.');
  }
  if (error instanceof SluiceError || (error as { code?: unknown })?.code !== undefined) {
    return error;
  }
  return new SluiceError('io_failed', `The import failed: ${oneLine(error)}`, {}, error);
}

const oneLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;

interface ImportJob {
  readonly database: Database;
  readonly store: string;
  readonly staging: string;
  readonly files: readonly BarFile[];
  readonly venue: string;
  readonly options: Omit<ImportOptions, 'inputs' | 'venue'>;
  /** Tells the progress; throws when the import is to stop. */
  readonly step: (stage: string, doneFrac: number, note?: string) => void;
}

async function runImport(job: ImportJob): Promise<ImportReport> {
  const { database, step } = job;
  const timeframeMs = parseTimeframe(job.options.timeframe);
  const sources = await readFiles(job, timeframeMs);
  step('sort', 0.5);
  const names = await sortBars(database);
  if (names.length === 0) throw await nothingUsable(database, sources);
  step('scan', 0.7);
  const scan = createBarScan(timeframeMs, names.length, sources.length);
  await database.scan(`SELECT ${scanColumns} FROM sorted`, scan.take);
  const report = await makeReport(job, timeframeMs, names, sources, scan);
  const stored = storedReport(job.store, report.data_version);
  if (stored !== undefined) return stored;
  step('write', 0.9);
  const prepared = join(job.staging, 'prepared');
  mkdirSync(prepared);
  await writeParquet(database, join(prepared, barsFile));
  const bars_sha256 = await fileSha256(join(prepared, barsFile));
  step('write', 1);
  return publishBars(job.store, prepared, { ...report, bars_sha256 });
}

/** Fills table `parsed`, whose rowid is the place of a row in all files together: DuckDB keeps the order of files. */
async function readFiles(job: ImportJob, timeframeMs: number): Promise<Source[]> {
  const { database, files, venue } = job;
  await database.run(`CREATE TABLE parsed (symbol VARCHAR, open_ms DOUBLE, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,
    volume DOUBLE, quote_volume DOUBLE, trades DOUBLE, taker_buy_volume DOUBLE, unit UTINYINT, source UTINYINT, reason VARCHAR)`);
  const sources: Source[] = [];
  for (const [i, file] of files.entries()) {
    job.step('read', 0.2 + (0.3 * i) / files.length, file.name);
    const firstOrdinal = await countRows(database, 'parsed');
    try {
      const layout = await findBarLayout(file, timeframeMs, database);
      await database.run(`INSERT INTO parsed ${selectBars(layout, timeframeMs, i)}`);
      sources.push({ ...file, venue, firstOrdinal, firstLine: layout.firstLine });
    } catch (error) {
      if (error instanceof SluiceError || isMachineTrouble(error)) throw error;
      throw new SluiceError(
        'input_invalid',
        `${file.name} cannot be read: ${oneLine(error)}.`,
        { path: file.path },
        error,
      );
    }
  }
  return sources;
}

/** A full disk or memory is not the file's fault. */
const isMachineTrouble = (error: unknown): boolean =>
  /^Out of Memory|No space left|Could not write/.test(oneLine(error));

async function countRows(database: Database, table: string): Promise<number> {
  const [row] = await database.rows(`SELECT count(*)::DOUBLE AS n FROM ${table}`);
  return Number(row?.n);
}

/** Makes tables `rejected`, `sorted` and `duplicates` of `parsed` and drops it; returns the symbols in order. */
async function sortBars(database: Database): Promise<string[]> {
  await database.run(`CREATE TABLE rejected AS SELECT rowid AS ordinal, symbol, source, reason FROM parsed
    WHERE reason <> ''`);
  const found = await database.rows(
    'SELECT DISTINCT symbol FROM parsed WHERE reason IS NULL ORDER BY symbol',
  );
  const names = found.map((row) => String(row.symbol));
  if (names.length === 0) return names;
  await database.run(`CREATE TYPE bar_symbol AS ENUM (${names.map(sqlText).join(', ')})`);
  await database.run(`CREATE TABLE sorted AS SELECT symbol::bar_symbol AS symbol, * EXCLUDE (symbol, reason), rowid AS ordinal
    FROM parsed WHERE reason IS NULL ORDER BY 1, open_ms, ordinal`);
  await database.run('DROP TABLE parsed');
  await dropRepeats(database);
  return names;
}

const values = 'open, high, low, close, volume, quote_volume, trades, taker_buy_volume';

/** A later row of a bar already there moves to `duplicates`, beside the row that stays. All windows here stream. */
async function dropRepeats(database: Database): Promise<void> {
  await database.run(`CREATE TABLE repeats AS
    WITH marked AS (SELECT rowid AS position,
        coalesce(lag(symbol) OVER () = symbol AND lag(open_ms) OVER () = open_ms, false) AS repeat FROM sorted),
      paired AS (SELECT position, repeat, max(CASE WHEN repeat THEN NULL ELSE position END)
        OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS kept FROM marked)
    SELECT position, kept FROM paired WHERE repeat`);
  const row = (name: string) => `row(${values.replaceAll(/\w+/g, `${name}.$&`)})`;
  await database.run(`CREATE TABLE duplicates AS
    SELECT b.symbol::VARCHAR AS symbol, b.ordinal, b.source, a.ordinal AS kept_ordinal, a.source AS kept_source,
      ${row('a')} IS DISTINCT FROM ${row('b')} AS conflicting
    FROM repeats r JOIN sorted b ON b.rowid = r.position JOIN sorted a ON a.rowid = r.kept`);
  if ((await countRows(database, 'repeats')) > 0) {
    await database.run('DELETE FROM sorted WHERE rowid IN (SELECT position FROM repeats)');
  }
}

async function nothingUsable(database: Database, sources: readonly Source[]): Promise<SluiceError> {
  const { rejected, rejected_count } = await readRejections(database, sources, false);
  const [first] = rejected;
  const why =
    first === undefined
      ? 'the files hold no rows'
      : `all ${rejected_count} rows are rejected, the first (${first.file}, line ${first.line}) for ${first.reason}`;
  return new SluiceError('input_invalid', `Nothing to import: ${why}.`, {
    rejected: rejected.slice(0, 20),
    rejected_count,
  });
}

async function writeParquet(database: Database, path: string): Promise<void> {
  await database.run(`COPY (SELECT symbol::VARCHAR AS symbol, open_ms::BIGINT AS open_ms, ${values},
      ${qualitySql} AS quality, source AS source_index FROM sorted)
    TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`);
}

async function makeReport(
  job: ImportJob,
  timeframeMs: number,
  names: readonly string[],
  sources: readonly Source[],
  scan: BarScan,
): Promise<Omit<StoredReport, 'bars_sha256'>> {
  const { bySymbol, ...rejections } = await readRejections(job.database, sources, true);
  const orders = scan.orders();
  const symbols = symbolReports(names, scan, bySymbol);
  const stored = symbols.filter((symbol) => symbol.rows > 0);
  return {
    format: 'sluice-bars/1',
    rows: stored.reduce((sum, symbol) => sum + symbol.rows, 0),
    timeframe: job.options.timeframe,
    timeframe_ms: timeframeMs,
    venue: job.venue,
    from: Math.min(...stored.map((symbol) => symbol.from!)),
    to: Math.max(...stored.map((symbol) => symbol.to!)),
    symbols,
    ...rejections,
    order: overallOrder(orders),
    data_version: dataVersionOf({
      timeframeMs,
      symbols: stored,
      sources: sources.map(({ name, sha256, venue }) => ({ file: name, sha256, venue })),
      rowsSha256: scan.digest(),
    }),
    files: sources.map(({ name, sha256, venue }, i) => ({
      file: name,
      sha256,
      venue,
      order: orders[i]!,
    })),
  };
}

function symbolReports(
  names: readonly string[],
  scan: BarScan,
  rejections: ReadonlyMap<string, RejectionCounts>,
): SymbolReport[] {
  const all = [...new Set([...names, ...rejections.keys()])].sort();
  return all.map((symbol) => {
    const found = scan.symbols[names.indexOf(symbol)];
    const counts = rejections.get(symbol);
    return {
      symbol,
      rows: found?.rows ?? 0,
      from: found?.from ?? null,
      to: found?.to ?? null,
      gaps: found?.gaps ?? 0,
      missing_bars: found?.missingBars ?? 0,
      duplicates: counts?.duplicates ?? 0,
      conflicting_duplicates: counts?.conflicting ?? 0,
      off_grid: counts?.offGrid ?? 0,
      zero_volume: found?.zeroVolume ?? 0,
      microsecond_stamps: found?.microsecondStamps ?? 0,
      second_stamps: found?.secondStamps ?? 0,
    };
  });
}

function overallOrder(orders: readonly RowOrder[]): RowOrder {
  return orders.every((order) => order === orders[0]) ? orders[0]! : 'shuffled';
}
