// The Python of the rivals. Tests that run it live say loudly when it is absent.

/** Its program; skips the running test, loudly, if PEER_PYTHON names none. */
export function needsPeerPython(context: Mocha.Context): string {
  const python = process.env.PEER_PYTHON;
  if (python) return python;
  process.stderr.write(`SKIPPED, no PEER_PYTHON: ${context.test?.fullTitle() ?? 'a test'}\n`);
  return context.skip();
}
