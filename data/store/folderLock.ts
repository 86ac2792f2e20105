// One process at a time in a folder. The lock is an exclusive SQLite transaction that is never committed:
// an operating-system lock, so it ends with its process however that ends, and there is no stale lock to
// recover, no process id to mistake for another (two containers both run as process 1), no race between
// two that recover. SQLite keeps its locks apart inside one process too.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, isoTime, SluiceError, writeFileAtomic } from '../../core/index.ts';

const sqliteBusy = 5;

/**
 * Takes the folder, which must exist.
 * @returns gives it back
 * @throws SluiceError `database_busy` naming the holder
 */
export function lockFolder(folder: string, clock: Clock): () => void {
  const lock = new DatabaseSync(join(folder, 'lock'));
  const holder = join(folder, 'holder.json');
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    lock.close();
    if ((thrown as { errcode?: number }).errcode !== sqliteBusy) throw thrown;
    throw busy(folder, holder);
  }
  // For the sentence of the next one only; the lock does not rest on it.
  writeFileAtomic(holder, JSON.stringify({ pid: process.pid, since: isoTime(clock()) }));
  return () => lock.close();
}

function busy(folder: string, holder: string): SluiceError {
  return new SluiceError(
    'database_busy',
    `The embedded database ${folder} is in use by ${nameOf(holder)}, and it serves one process at a time: wait for that one to end, or run a PostgreSQL server and set DATABASE_URL=postgres://user:password@host:5432/database for both.`,
    { folder },
  );
}

function nameOf(holder: string): string {
  try {
    const { pid, since } = JSON.parse(readFileSync(holder, 'utf8'));
    return `process ${pid} since ${since}`;
  } catch {
    return 'another process';
  }
}
