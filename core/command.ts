// What a room's main is given by the command line, and what it gives back.

import type { Progress } from './progress.ts';
import type { Clock } from './time.ts';

/** The outside world, handed to a main by `sluice.ts`; a main gets nothing from anywhere else. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly progress: Progress;
  /** Aborted by Ctrl-C; long work stops at the next safe point with code `cancelled`. */
  readonly signal: AbortSignal;
  /** Aborted by a second Ctrl-C, for commands whose work ends in its own time after the first; absent elsewhere. */
  readonly stopNow?: AbortSignal;
}

/** What a command ends with. 3 and 4 belong to the gate: fail and `insufficient_observation`. */
export interface CommandResult {
  /** the one document of `--json` */
  readonly json: Readonly<Record<string, unknown>>;
  /** the same for people: a table or a sentence */
  readonly text: string;
  readonly exit: 0 | 1 | 3 | 4;
}
