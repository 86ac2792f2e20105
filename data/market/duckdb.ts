// The one place that knows DuckDB: SQL over files, in bounded memory, spilling into the folder given.
// Nothing is installed or loaded from a network; NULL leaves as NaN.

import { type DuckDBConnection, DuckDBInstance, type DuckDBVector } from '@duckdb/node-api';

/** A private database; close it when done. */
export interface Database {
  run(sql: string): Promise<void>;
  /** All rows of a small answer, by column name; 64-bit integers arrive as bigint, so cast counts to DOUBLE. */
  rows(sql: string): Promise<Readonly<Record<string, unknown>>[]>;
  /**
   * Streams a big answer whose columns are all DOUBLE, in its own order.
   * @param take columns [k][n], valid during the call only; NULL is NaN
   */
  scan(
    sql: string,
    take: (columns: readonly Float64Array[], n: number) => void | Promise<void>,
  ): Promise<void>;
  /** Makes the running statement fail soon; safe at any time. */
  interrupt(): void;
  close(): void;
}

/** Where a database lives and what it may take. */
export interface DatabaseOptions {
  /** Database file; absent = in memory. */
  readonly file?: string;
  /** Folder for what does not fit in memory; absent = never spill. */
  readonly spillFolder?: string;
  readonly memoryMib: number;
  readonly threads: number;
}

/** Opens a database with its limits set. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const instance = await DuckDBInstance.create(options.file ?? ':memory:', {
    threads: String(options.threads),
    memory_limit: `${options.memoryMib}MiB`,
    temp_directory: options.spillFolder ?? '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  return {
    run: async (sql) => void (await connection.run(sql)),
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowObjects(),
    scan: (sql, take) => scan(connection, sql, take),
    interrupt: () => connection.interrupt(),
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function scan(
  connection: DuckDBConnection,
  sql: string,
  take: (columns: readonly Float64Array[], n: number) => void | Promise<void>,
): Promise<void> {
  const result = await connection.stream(sql);
  let columns: Float64Array[] = [];
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    const n = chunk.rowCount;
    if (n === 0) break;
    if ((columns[0]?.length ?? 0) < n) {
      columns = Array.from({ length: chunk.columnCount }, () => new Float64Array(n));
    }
    for (let k = 0; k < columns.length; k += 1) {
      copyDoubles(chunk.getColumnVector(k), n, columns[k]!);
    }
    await take(columns, n);
  }
}

function copyDoubles(vector: DuckDBVector, n: number, into: Float64Array): void {
  for (let i = 0; i < n; i += 1) into[i] = (vector.getItem(i) as number | null) ?? Number.NaN;
}

/** A string as an SQL literal. */
export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A column name as SQL. */
export const sqlName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A path as an SQL literal for functions that would otherwise read `*`, `?` and `[` as patterns. */
export const sqlPath = (path: string): string => sqlText(path.replace(/[*?[]/g, '[$&]'));
