// The commands `data import` and `data simulate`: market bars into the bar store and their row into `datasets`.

import { join } from 'node:path';
import { type CommandIo, type CommandResult, isoTime } from '../core/index.ts';
import {
  datasetRow,
  type ImportReport,
  importBars,
  type PlantedStructure,
  simulateMarket,
  storeMarket,
} from './market/index.ts';
import { openDatabase, recordDataset } from './store/index.ts';

/** Options of `data import`. */
export interface ImportDataOptions {
  readonly input: readonly string[];
  readonly timeframe: string;
  readonly venue: string;
  /** Bars go to `<out>/bars/<data_version>`. */
  readonly out: string;
}

/**
 * Imports files of bars and reports what was found in them.
 * @returns JSON: the import's report with `sources` and `path`
 * @throws SluiceError as {@link importBars}
 */
export async function importData(
  options: ImportDataOptions,
  io: CommandIo,
): Promise<CommandResult> {
  const report = await importBars(
    {
      inputs: options.input,
      timeframe: options.timeframe,
      venue: options.venue,
      out: barStore(options.out),
    },
    io.progress,
    io.signal,
  );
  await register(report, options.out, io);
  return { json: documentOf(report), text: textOf(report), exit: 0 };
}

/** Options of `data simulate`. */
export interface SimulateDataOptions {
  readonly seed: number;
  readonly symbols: number;
  readonly days: number;
  readonly alpha: number;
  readonly timeframe: string;
  /** what the predictable return rests on; default tabular */
  readonly structure?: PlantedStructure;
  /** Bars go to `<out>/bars/<data_version>`. */
  readonly out: string;
}

/**
 * Simulates a market with a known amount of predictable return and stores it.
 * @returns JSON: the report of the stored bars with `seed`, `alpha`, `structure`, `sources` and `path`
 * @throws SluiceError as {@link simulateMarket} and {@link storeMarket}
 */
export async function simulateData(
  options: SimulateDataOptions,
  io: CommandIo,
): Promise<CommandResult> {
  const { seed, symbols, days, alpha, timeframe, structure = 'tabular' } = options;
  io.progress.update('simulate', 0);
  const market = simulateMarket({ seed, symbols, days, alpha, timeframe, structure });
  const report = await storeMarket(market, barStore(options.out), io.progress, io.signal);
  await register(report, options.out, io);
  const text = `Simulated with seed ${seed}, alpha ${alpha} and ${structure} structure.\n${textOf(report)}`;
  return { json: { ...documentOf(report), seed, alpha, structure, days }, text, exit: 0 };
}

/** Adds the bars to the catalogue; the same bars once more change nothing. */
async function register(report: ImportReport, out: string, io: CommandIo): Promise<void> {
  const folder = join(out, 'db');
  const db = await openDatabase({ url: io.env.DATABASE_URL, folder, clock: io.clock });
  try {
    await recordDataset(db, datasetRow(report, io.clock()));
  } finally {
    await db.close();
  }
}

const barStore = (out: string): string => join(out, 'bars');

/** `sources` is what a dataset row keeps of `files`. */
const documentOf = (report: ImportReport): Record<string, unknown> => ({
  ...report,
  sources: report.files.map(({ file, sha256, venue }) => ({ file, sha256, venue })),
});

const shownRejections = 10;

function textOf(report: ImportReport): string {
  return [
    `${report.rows} bars of ${report.timeframe}, ${isoTime(report.from)} to ${isoTime(report.to)}, venue ${report.venue}`,
    '',
    ...table(report),
    '',
    ...rejectionLines(report),
    ...(report.order === 'oldest_first'
      ? []
      : [`Rows came ${report.order.replace('_', ' ')} and were sorted.`]),
    `data_version ${report.data_version}`,
    `stored in ${report.path}`,
  ].join('\n');
}

const columns = [
  'rows',
  'gaps',
  'missing_bars',
  'duplicates',
  'off_grid',
  'zero_volume',
  'microsecond_stamps',
] as const;

function table(report: ImportReport): string[] {
  const head = ['symbol', 'from', 'to', ...columns];
  const day = (ms: number | null) => (ms === null ? '-' : isoTime(ms).slice(0, 16));
  const rows = report.symbols.map((symbol) => [
    symbol.symbol,
    day(symbol.from),
    day(symbol.to),
    ...columns.map((column) => String(symbol[column])),
  ]);
  const widths = head.map((name, k) => Math.max(name.length, ...rows.map((row) => row[k]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, k) => (k < 3 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!)))
      .join('  ');
  return [head, ...rows].map(line);
}

function rejectionLines(report: ImportReport): string[] {
  if (report.rejected_count === 0) return ['No row rejected.'];
  const kinds = Object.entries(report.rejected_by_kind).map(([kind, n]) => `${n} ${kind}`);
  const shown = report.rejected.slice(0, shownRejections);
  return [
    `${report.rejected_count} rows rejected: ${kinds.join(', ')}.`,
    ...shown.map(({ file, line, reason }) => `  ${file}, line ${line}: ${reason}`),
    ...(report.rejected_count > shown.length ? ['  ... the rest with --json or in bars.json'] : []),
  ];
}
