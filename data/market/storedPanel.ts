// Stored bars onto a uniform grid, in memory. What the store does not hold stays NaN, with its quality bit.

import { join } from 'node:path';
import { isoTime, nearest, SluiceError } from '../../core/index.ts';
import { type BarPanel, barColumns, missingBars } from './barPanel.ts';
import type { ImportReport } from './barReport.ts';
import { barsFile, fileSha256, readReport } from './barStore.ts';
import { type Database, openDatabase, sqlPath, sqlText } from './duckdb.ts';

/** Which stored bars to load. */
export interface PanelRequest {
  /** Folder of the bars: `path` of an import, `<store>/<data_version>`. */
  readonly storePath: string;
  /** Default: all. The panel's order is the store's (by name), whatever order is asked for. */
  readonly symbols?: readonly string[];
  /** Bars with fromMs <= open < toMs; default: all. */
  readonly fromMs?: number;
  readonly toMs?: number;
}

/**
 * Loads bars; the grid runs from the first to the last bar found.
 * @throws SluiceError `input_missing` (no such store) | `input_invalid` (unknown symbol, changed bytes, no bar in the span)
 */
export async function loadPanel(request: PanelRequest): Promise<BarPanel> {
  const report = readReport(request.storePath);
  const file = join(report.path, barsFile);
  await requireUnchanged(file, report);
  const symbols = chooseSymbols(report, request.symbols);
  const database = await openDatabase({ memoryMib: 512, threads: 2 });
  try {
    return await readPanel(database, file, report, symbols, request);
  } finally {
    database.close();
  }
}

async function requireUnchanged(file: string, report: ImportReport): Promise<void> {
  const found = await fileSha256(file);
  if (found === report.bars_sha256) return;
  throw new SluiceError(
    'input_invalid',
    `${file} is not the file that the import wrote (sha256 ${found}); remove its folder and import again.`,
    { path: file, expected: report.bars_sha256, found },
  );
}

function chooseSymbols(report: ImportReport, wanted?: readonly string[]): string[] {
  const stored = report.symbols.filter(({ rows }) => rows > 0).map(({ symbol }) => symbol);
  if (wanted === undefined) return stored;
  const unknown = wanted.filter((symbol) => !stored.includes(symbol));
  if (unknown.length > 0 || wanted.length === 0) {
    const near = unknown.map(
      (symbol) => `${symbol} (nearest: ${nearest(symbol, stored) ?? stored[0]})`,
    );
    throw new SluiceError(
      'input_invalid',
      wanted.length === 0 ? 'Name at least one symbol.' : `Not in the store: ${near.join(', ')}.`,
      { unknown, stored },
    );
  }
  return stored.filter((symbol) => wanted.includes(symbol));
}

const priceColumns = 'open, high, low, close, volume, quote_volume, trades, taker_buy_volume';

async function readPanel(
  database: Database,
  file: string,
  report: ImportReport,
  symbols: readonly string[],
  request: PanelRequest,
): Promise<BarPanel> {
  const { fromMs = -Infinity, toMs = Infinity } = request;
  const literals = symbols.map(sqlText).join(', ');
  const span = [
    `symbol IN (${literals})`,
    ...(Number.isFinite(fromMs) ? [`open_ms >= ${Math.ceil(fromMs)}`] : []),
    ...(Number.isFinite(toMs) ? [`open_ms < ${Math.ceil(toMs)}`] : []),
  ].join(' AND ');
  const from = `FROM read_parquet(${sqlPath(file)}) WHERE ${span}`;
  const [range] = await database.rows(
    `SELECT min(open_ms)::DOUBLE AS first, max(open_ms)::DOUBLE AS last ${from}`,
  );
  if (typeof range?.first !== 'number' || typeof range.last !== 'number') {
    throw new SluiceError(
      'input_invalid',
      `The store has no bar in the span asked for; it runs from ${isoTime(report.from)} to ${isoTime(report.to)}.`,
      { from_ms: request.fromMs ?? null, to_ms: request.toMs ?? null },
    );
  }
  const panel = emptyPanel(report, symbols, range.first, range.last);
  await database.scan(
    `SELECT list_position([${literals}], symbol)::DOUBLE - 1, open_ms::DOUBLE, ${priceColumns}, quality::DOUBLE, source_index::DOUBLE ${from}`,
    (columns, n) => placeBars(panel, columns, n),
  );
  return panel;
}

function emptyPanel(
  report: ImportReport,
  symbols: readonly string[],
  firstMs: number,
  lastMs: number,
): BarPanel {
  const { timeframe_ms: timeframeMs } = report;
  const steps = (lastMs - firstMs) / timeframeMs + 1;
  const cells = symbols.length * steps;
  return {
    timeframeMs,
    symbols,
    openMs: Float64Array.from({ length: steps }, (_, t) => firstMs + t * timeframeMs),
    ...missingBars(cells),
    dataVersion: report.data_version,
    sources: report.files.map(({ file, sha256, venue }) => ({ file, sha256, venue })),
  };
}

function placeBars(panel: BarPanel, columns: readonly Float64Array[], n: number): void {
  const [symbol, openMs, ...rest] = columns;
  const values = rest.slice(0, 8);
  const [quality, source] = rest.slice(8);
  const into = barColumns(panel);
  const steps = panel.openMs.length;
  const firstMs = panel.openMs[0]!;
  for (let i = 0; i < n; i += 1) {
    const at = symbol![i]! * steps + (openMs![i]! - firstMs) / panel.timeframeMs;
    for (let k = 0; k < 8; k += 1) into[k]![at] = values[k]![i]!;
    panel.quality[at] = quality![i]!;
    panel.sourceIndex[at] = source![i]!;
  }
}
