// What a database says, in our words. Both engines give SQLSTATE codes.

import { SluiceError } from '../../core/index.ts';

/** SQLSTATE classes in which the data, not the database, are at fault: bad value, broken constraint. */
const refusals: ReadonlySet<string> = new Set(['22', '23']);

interface Reported {
  readonly code?: string;
  readonly message?: string;
  readonly constraint?: string;
  readonly table?: string;
}

/** Wraps what an engine threw; what is a {@link SluiceError} already passes unchanged. */
export function databaseError(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const { code = '', message = String(thrown), constraint, table } = (thrown ?? {}) as Reported;
  const refused = refusals.has(code.slice(0, 2)) && code.length === 5;
  return new SluiceError(
    refused ? 'database_refused' : 'database_failed',
    refused ? `The database refused a row: ${message}.` : `The database failed: ${message}.`,
    { sqlstate: code, ...(table && { table }), ...(constraint && { constraint }) },
    thrown,
  );
}

/** Runs work on an engine and wraps what it throws. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw databaseError(thrown);
  }
}
