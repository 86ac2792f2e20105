// One process at a time. The lock is an exclusive SQLite transaction on a file of its own, never committed: an
// operating-system lock, so it ends with its process however that ends, and there is no stale lock to recover, no process
// id to mistake for another (two containers both run as process 1), no race between two that recover. SQLite keeps such
// locks apart inside one process too.

import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from './errors.ts';

const sqliteBusy = 5;

/**
 * Takes a lock.
 * @param path of the lock's own file, which is made if it is not there and stays
 * @returns gives it back; null if somebody has it
 * @throws SluiceError `io_failed` if the file cannot be made
 */
export function takeLock(path: string): (() => void) | null {
  let lock: DatabaseSync | null = null;
  try {
    lock = new DatabaseSync(path);
    lock.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    lock?.close();
    if ((thrown as { errcode?: number }).errcode === sqliteBusy) return null;
    throw new SluiceError(
      'io_failed',
      `Cannot lock ${path}: ${(thrown as Error).message}; its folder must be one that this process may write in.`,
      { path },
      thrown,
    );
  }
  const taken = lock;
  return () => taken.close();
}
