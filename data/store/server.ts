// The one file that imports `pg`: a pool of connections to a PostgreSQL server.

import type { Pool, PoolClient } from 'pg';
import { SluiceError } from '../../core/index.ts';
import type { Database, Queryable } from './database.ts';
import { guarded } from './databaseError.ts';

/** Connects to a server; the first connection is tried at once. */
export async function openServer(url: string): Promise<Database> {
  const where = place(url);
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: url, max: 8, connectionTimeoutMillis: 10_000 });
  // An idle connection that dies (server restarted) would otherwise end the process; the pool replaces it.
  pool.on('error', () => {});
  try {
    (await pool.connect()).release();
  } catch (cause) {
    await pool.end();
    throw new SluiceError(
      'database_failed',
      `Cannot reach the PostgreSQL server at ${where}: ${(cause as Error).message}. Start it, or correct DATABASE_URL, or unset it to use the embedded database.`,
      { where },
      cause,
    );
  }
  return {
    kind: 'server',
    ...queryable(pool),
    transaction: (work) => guarded(() => transact(pool, work)),
    close: () => pool.end(),
  };
}

/** Host and database of a URL, without its password. */
function place(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) {
    const { host, pathname, searchParams } = new URL(url);
    return `${host || searchParams.get('host') || 'localhost'}${pathname}`;
  }
  throw new SluiceError(
    'config_invalid',
    'DATABASE_URL must look like postgres://user:password@host:5432/database; correct it, or unset it to use the embedded database.',
  );
}

const queryable = (target: Pool | PoolClient): Queryable => ({
  query: (sql, params = []) => guarded(async () => (await target.query(sql, [...params])).rows),
  script: (sql) =>
    guarded(async () => {
      await target.query(sql);
    }),
});

async function transact<T>(pool: Pool, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(queryable(client));
    // A server answers COMMIT of a transaction in which a statement failed with a quiet ROLLBACK.
    const { command } = await client.query('COMMIT');
    if (command === 'COMMIT') return result;
    throw new Error('a statement of the transaction had failed, so nothing of it was kept');
  } catch (error) {
    await client.query('ROLLBACK').catch((lost: Error) => {
      broken = lost;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
