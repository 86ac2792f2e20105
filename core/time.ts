// Time: Unix ms UTC everywhere, bar lengths, and the one place that reads a clock.

import { SluiceError } from './errors.ts';

/** A minute in milliseconds. */
export const minuteMs = 60_000;
/** An hour in milliseconds. */
export const hourMs = 3_600_000;
/** A UTC day in milliseconds. */
export const dayMs = 86_400_000;

/** Tells the time, Unix ms UTC. Handed in wherever time matters, so that a test can set it. */
export type Clock = () => number;

/** The machine's clock. Only main files hand it out. */
export const systemClock: Clock = () => Date.now();

/** The UTC day of a time: whole days since 1970-01-01. */
export const utcDay = (ms: number): number => Math.floor(ms / dayMs);

/** `2018-01-01T00:00:00.000Z` for a time in Unix ms. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();

const unitMs: Readonly<Record<string, number>> = { m: minuteMs, h: hourMs, d: dayMs };

/**
 * Length of a bar named like the exchanges do: `1m`, `5m`, `1h`, `4h`, `1d`.
 * @throws SluiceError `input_invalid`
 */
export function parseTimeframe(name: string): number {
  const match = /^([1-9]\d{0,3})([mhd])$/.exec(name);
  if (match === null) {
    throw new SluiceError(
      'input_invalid',
      `A timeframe is a number and m, h or d, such as 5m or 1h; found "${name}".`,
    );
  }
  return Number(match[1]) * unitMs[match[2]!]!;
}
