// One process at a time in a folder, and who it is.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, isoTime, SluiceError, takeLock, writeFileAtomic } from '../../core/index.ts';

/**
 * Takes the folder, which must exist.
 * @returns gives it back
 * @throws SluiceError `database_busy` naming the holder; `io_failed`
 */
export function lockFolder(folder: string, clock: Clock): () => void {
  const holder = join(folder, 'holder.json');
  const unlock = takeLock(join(folder, 'lock'));
  if (unlock === null) throw busy(folder, holder);
  // For the sentence of the next one only; the lock does not rest on it.
  writeFileAtomic(holder, JSON.stringify({ pid: process.pid, since: isoTime(clock()) }));
  return unlock;
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
