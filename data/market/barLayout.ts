// Where a file keeps each field of a bar, as SQL: by header name, or by position for the header-less kline files
// that Binance publishes (data.binance.vision: 12 columns, symbol and interval in the file's name).

import { parseTimeframe, SluiceError } from '../../core/index.ts';
import type { BarFile } from './barFile.ts';
import { type Database, sqlName, sqlPath, sqlText } from './duckdb.ts';

/** Fields of a bar by their names in files; the last three may be absent. */
export const barFields = [
  'symbol',
  'ts',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quote_volume',
  'trades',
  'taker_buy_volume',
] as const;
/** Name of a column of a file of bars. */
export type BarField = (typeof barFields)[number];

/** The fields that a source may lack. */
export const optionalFields: readonly BarField[] = ['quote_volume', 'trades', 'taker_buy_volume'];

/** How to read one file with SQL. */
export interface BarLayout {
  /** FROM clause; one row per line or Parquet row, in file order. */
  readonly from: string;
  /** The cell as text (for messages), per field; NULL if the file lacks it. */
  readonly text: Readonly<Record<BarField, string>>;
  /** The cell as DOUBLE; NULL if it is not a number. Not for `symbol`. */
  readonly number: Readonly<Record<BarField, string>>;
  /** Condition that the row is an empty line, and how many cells it has; `expectedCells` they should be. */
  readonly blank: string;
  readonly cells: string;
  readonly expectedCells: number;
  /** Line (1-based) of the first row. */
  readonly firstLine: number;
}

/**
 * Finds the fields of a file.
 * @throws SluiceError `input_invalid` naming the missing columns, or a kline file's other interval
 */
export async function findBarLayout(
  file: BarFile,
  timeframeMs: number,
  database: Database,
): Promise<BarLayout> {
  if (file.format === 'parquet') return parquetLayout(file, database);
  const cells = file.headLine.split(',').map((cell) => cell.replaceAll('"', '').trim());
  const kline = cells.length === 12 && (cells[0] === 'open_time' || cells.every(isNumber));
  return kline ? klineLayout(file, cells, timeframeMs) : headerLayout(file, cells);
}

const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell));

function headerLayout(file: BarFile, header: readonly string[]): BarLayout {
  const names = header.map((name) => name.toLowerCase());
  requireColumns(file, names);
  return csvLayout(file, (field) => names.indexOf(field), names.length, 1);
}

function requireColumns(file: BarFile, names: readonly string[]): void {
  const missing = barFields.filter((f) => !optionalFields.includes(f) && !names.includes(f));
  const twice = barFields.filter((f) => names.indexOf(f) !== names.lastIndexOf(f));
  if (missing.length === 0 && twice.length === 0) return;
  const trouble =
    missing.length > 0 ? `lacks ${missing.join(', ')}` : `repeats ${twice.join(', ')}`;
  throw new SluiceError(
    'input_invalid',
    `${file.name} ${trouble}: bars need the columns symbol, ts, open, high, low, close, volume; found ${names.join(', ').slice(0, 200)}.`,
    { path: file.path, missing, repeated: twice },
  );
}

const klineColumns: Readonly<Partial<Record<BarField, number>>> = {
  ts: 0,
  open: 1,
  high: 2,
  low: 3,
  close: 4,
  volume: 5,
  quote_volume: 7,
  trades: 8,
  taker_buy_volume: 9,
};

function klineLayout(file: BarFile, cells: readonly string[], timeframeMs: number): BarLayout {
  const named = /^([A-Z0-9_]+)-(\d+[mhd])-/.exec(file.name);
  if (named === null) {
    throw new SluiceError(
      'input_invalid',
      `${file.name} holds klines without a symbol column; name it like BTCUSDT-1h-2024-01.csv.`,
      { path: file.path },
    );
  }
  if (parseTimeframe(named[2]!) !== timeframeMs) {
    throw new SluiceError(
      'input_invalid',
      `${file.name} holds ${named[2]} klines; import it with --timeframe ${named[2]}.`,
      { path: file.path },
    );
  }
  const headerLines = cells[0] === 'open_time' ? 1 : 0;
  const layout = csvLayout(file, (field) => klineColumns[field] ?? -1, 12, headerLines);
  return { ...layout, text: { ...layout.text, symbol: sqlText(named[1]!) } };
}

/** Lines are read whole and cut at commas here, so that every row keeps its line number, whatever is wrong with it. */
function csvLayout(
  file: BarFile,
  columnOf: (field: BarField) => number,
  expectedCells: number,
  headerLines: number,
): BarLayout {
  const options = [
    `columns={'line':'VARCHAR'}, delim='\x01', quote='', escape='', header=false`,
    `auto_detect=false, strict_mode=false, skip=${headerLines}`,
    `compression='${file.gzip ? 'gzip' : 'none'}'`,
  ];
  const text = perField((field) => {
    const column = columnOf(field);
    return column < 0 ? 'NULL::VARCHAR' : `c[${column + 1}]`;
  });
  return {
    from: `(SELECT string_split(CASE WHEN contains(line, '"') THEN replace(line, '"', '') ELSE line END, ',') AS c FROM read_csv(${sqlPath(file.path)}, ${options.join(', ')}))`,
    text,
    number: perField((field) => textAsNumber(text[field])),
    blank: `(c IS NULL OR (len(c) = 1 AND trim(c[1]) = ''))`,
    cells: 'len(c)',
    expectedCells,
    firstLine: headerLines + 1,
  };
}

/** DuckDB reads 1_000 as 1000; nobody writes a price so on purpose. */
const textAsNumber = (text: string): string =>
  `TRY_CAST(CASE WHEN contains(${text}, '_') THEN NULL ELSE ${text} END AS DOUBLE)`;

async function parquetLayout(file: BarFile, database: Database): Promise<BarLayout> {
  const from = `read_parquet(${sqlPath(file.path)})`;
  const columns = await database.rows(`DESCRIBE SELECT * FROM ${from}`);
  const names = columns.map((column) => String(column.column_name).toLowerCase());
  requireColumns(file, names);
  const column = (field: BarField) => columns[names.indexOf(field)];
  const text = perField((field) => {
    const found = column(field);
    return found === undefined ? 'NULL::VARCHAR' : `${sqlName(String(found.column_name))}::VARCHAR`;
  });
  const number = perField((field) => {
    const found = column(field);
    if (found === undefined) return 'NULL::DOUBLE';
    const name = sqlName(String(found.column_name));
    const type = String(found.column_type);
    if (type.startsWith('TIMESTAMP')) return `epoch_us(${name}) / 1000.0`;
    return type === 'VARCHAR' ? textAsNumber(name) : `TRY_CAST(${name} AS DOUBLE)`;
  });
  return { from, text, number, blank: 'false', cells: '0', expectedCells: 0, firstLine: 1 };
}

function perField(make: (field: BarField) => string): Record<BarField, string> {
  return Object.fromEntries(barFields.map((field) => [field, make(field)])) as Record<
    BarField,
    string
  >;
}
