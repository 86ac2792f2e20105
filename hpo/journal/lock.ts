// One process at a time at a file. The lock is an exclusive SQLite transaction on an empty file beside it, never
// committed: an operating-system lock that ends with its process, however that ends. SQLite keeps such locks apart inside
// one process too.

import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../core/index.ts';

const sqliteBusy = 5;

/**
 * Takes the lock of a file.
 * @param path of the file, which need not exist; the lock is the file `path.lock`
 * @returns gives it back; null if somebody has it
 * @throws SluiceError `io_failed` if that file cannot be made
 */
export function lockFile(path: string): (() => void) | null {
  let lock: DatabaseSync | null = null;
  try {
    lock = new DatabaseSync(`${path}.lock`);
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
