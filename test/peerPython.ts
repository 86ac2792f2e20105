// The Python of the rivals. Tests that run it live say loudly when it is absent.

import { skipLoudly } from './skipLoudly.ts';

/** Its program; skips the running test, loudly, if PEER_PYTHON names none. */
export function needsPeerPython(context: Mocha.Context): string {
  return process.env.PEER_PYTHON || skipLoudly(context, 'no PEER_PYTHON');
}
