// One interface over two engines that speak the same SQL: a PostgreSQL server, or PGlite inside the process.

import type { Clock } from '../../core/index.ts';
import { openEmbedded } from './embedded.ts';
import { migrate } from './migrate.ts';
import { openServer } from './server.ts';

/** A row as it comes from the database, columns by name; repositories parse it before anyone reads it. */
export type Row = Readonly<Record<string, unknown>>;

/** Runs SQL, inside a transaction or on its own. */
export interface Queryable {
  /**
   * Runs one statement.
   * @param params values of $1, $2, ...; JSON as text with a `::jsonb` cast, times as ISO text
   * @throws SluiceError `database_refused` (a constraint says no) | `database_failed`
   */
  query(sql: string, params?: readonly unknown[]): Promise<readonly Row[]>;
  /** Runs several statements without parameters. */
  script(sql: string): Promise<void>;
}

/**
 * An open database whose tables are up to date.
 *
 * Inside `transaction` use its argument only: the database itself may wait for the transaction to end.
 * A transaction whose work throws leaves nothing behind, and so does one whose process is killed.
 */
export interface Database extends Queryable {
  readonly kind: 'embedded' | 'server';
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Where the database is. */
export interface DatabaseOptions {
  /** `postgres://...` for a server; absent: embedded */
  readonly url?: string | undefined;
  /** folder of the embedded database, made if missing; null: in memory, gone when closed */
  readonly folder: string | null;
  readonly clock: Clock;
}

/**
 * Opens the database and applies what migrations are missing.
 * @throws SluiceError `database_busy` (another process holds the folder) | `database_failed` |
 *   `migration_changed` | `config_invalid` (URL)
 */
export async function openDatabase({ url, folder, clock }: DatabaseOptions): Promise<Database> {
  const database = url ? await openServer(url) : await openEmbedded(folder, clock);
  try {
    await migrate(database, clock);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
