// Tests that cannot run here say so where a person sees it.

/** Skips the running test or suite, and says why on stderr. @param why what is missing, and how to get it where that is known */
export function skipLoudly(context: Mocha.Context, why: string): never {
  process.stderr.write(`SKIPPED, ${why}: ${context.test?.fullTitle() ?? 'a test'}\n`);
  return context.skip();
}
