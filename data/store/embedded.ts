// The one file that imports PGlite: PostgreSQL in this process, in a folder or in memory.

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PGlite, Transaction } from '@electric-sql/pglite';
import { type Clock, publishFolder, SluiceError, sweepStaging } from '../../core/index.ts';
import type { Database, Queryable } from './database.ts';
import { guarded } from './databaseError.ts';
import { lockFolder } from './folderLock.ts';

/** Opens the folder, made if missing; null opens one in memory. */
export async function openEmbedded(folder: string | null, clock: Clock): Promise<Database> {
  if (folder === null) return database(await start(), () => {});
  mkdirSync(folder, { recursive: true });
  const unlock = lockFolder(folder, clock);
  try {
    sweepStaging(folder);
    const data = join(folder, 'pgdata');
    if (!existsSync(data)) await create(data);
    return database(await start(data), unlock);
  } catch (thrown) {
    unlock();
    throw thrown;
  }
}

/** A new cluster is built beside its place: a process killed meanwhile leaves none, not half of one. */
const create = (data: string) =>
  publishFolder(data, async (staging) => (await start(staging)).close());

/**
 * PGlite turns fsync off and ignores the calls; with `open_datasync` its log is opened O_SYNC, so that
 * a commit is on the disk when it returns (measured: 1 ms each instead of 0.6).
 */
function start(dataDir?: string): Promise<PGlite> {
  return guarded(async () => {
    const { PGlite } = await import('@electric-sql/pglite');
    if (dataDir === undefined) return PGlite.create();
    const startParams = PGlite.defaultStartParams
      .filter((param) => param !== '-F')
      .concat('-c', 'wal_sync_method=open_datasync');
    return PGlite.create({ dataDir, startParams }).catch((thrown) => {
      throw notStarted(dataDir, thrown);
    });
  });
}

/** PGlite says no more than "Aborted()" when it cannot write. */
const notStarted = (dataDir: string, thrown: unknown): SluiceError =>
  new SluiceError(
    'database_failed',
    `The embedded database cannot be started in ${dataDir} (${thrown instanceof Error ? thrown.message : String(thrown)}); see that the disk has room and the folder may be written.`,
    { dataDir },
    thrown,
  );

function database(engine: PGlite, unlock: () => void): Database {
  return {
    kind: 'embedded',
    ...queryable(engine),
    transaction: (work) => guarded(() => engine.transaction((tx) => work(queryable(tx)))),
    close: async () => {
      await guarded(() => engine.close()).finally(unlock);
    },
  };
}

const queryable = (target: PGlite | Transaction): Queryable => ({
  query: (sql, params = []) =>
    guarded(async () => (await target.query<Record<string, unknown>>(sql, [...params])).rows),
  script: (sql) =>
    guarded(async () => {
      await target.exec(sql);
    }),
});
