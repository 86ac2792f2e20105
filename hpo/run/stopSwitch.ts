// The switch behind Ctrl-C: once to finish what runs, twice to stop now.

import type { StopSignals } from './options.ts';

/** Signals, and what pulls them. */
export interface StopSwitch extends StopSignals {
  /** Goes one step further. @returns the step that is reached now */
  press(): 'finish' | 'now';
}

/** A switch that nobody has pressed. */
export function createStopSwitch(): StopSwitch {
  const [finish, now] = [new AbortController(), new AbortController()];
  return {
    finish: finish.signal,
    now: now.signal,
    press() {
      if (finish.signal.aborted) now.abort();
      finish.abort();
      return now.signal.aborted ? 'now' : 'finish';
    },
  };
}
