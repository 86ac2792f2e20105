// How values cross the edge of the database: times are timestamptz there and Unix ms here, structures are
// jsonb there and plain values here. JSON that cannot be said exactly (NaN, undefined) never gets in.

import { z } from 'zod';
import { canonicalJson, isoTime, SluiceError } from '../../core/index.ts';

/** Text of a jsonb parameter (cast it: `$1::jsonb`); null stays SQL null. */
export const jsonCell = (value: unknown): string | null =>
  value === null ? null : canonicalJson(value);

/**
 * Text of a timestamptz parameter.
 * @param ms whole Unix ms, years 1 to 3938
 * @throws SluiceError `out_of_range`
 */
export function timeCell(ms: number): string {
  if (Number.isInteger(ms) && Math.abs(ms) <= 62_135_596_800_000) return isoTime(ms);
  throw new SluiceError('out_of_range', `A stored time is whole Unix ms; found ${ms}.`, { ms });
}

/** {@link timeCell} for a time that may be missing. */
export const optionalTimeCell = (ms: number | null): string | null =>
  ms === null ? null : timeCell(ms);

/** A timestamptz column as Unix ms. */
export const timeColumn = z.date().transform((date) => date.getTime());
