// One process at a time at a file. The lock is an exclusive SQLite transaction on an empty file beside it, never
// committed: an operating-system lock that ends with its process, however that ends. SQLite keeps such locks apart inside
// one process too.

import { DatabaseSync } from 'node:sqlite';

const sqliteBusy = 5;

/**
 * Takes the lock of a file.
 * @param path of the file, which need not exist; the lock is the file `path.lock`
 * @returns gives it back; null if somebody has it
 */
export function lockFile(path: string): (() => void) | null {
  const lock = new DatabaseSync(`${path}.lock`);
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    lock.close();
    if ((thrown as { errcode?: number }).errcode === sqliteBusy) return null;
    throw thrown;
  }
  return () => lock.close();
}
