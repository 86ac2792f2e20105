// JSON lines on stderr. The only file that knows pino.

import { destination, pino } from 'pino';

/** What the serving process says; never a body, a key or a token. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Levels of {@link createLog}. */
export const logLevels = ['info', 'warn', 'error', 'silent'] as const;

/** A log at a level; written synchronously, so that the last line before an end is there. */
export function createLog(level: (typeof logLevels)[number]): Log {
  return pino({ level, base: null }, destination({ dest: 2, sync: true }));
}
