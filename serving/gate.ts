// The command `gate`, wired to the store; and the judgement that the command line hands to training.

import { join } from 'node:path';
import type { CommandIo, CommandResult, DataRegime, Policy, RunSource } from '../core/index.ts';
import { finishedRuns, openDatabase, saveVerdict, tallyRuns } from '../data/store/index.ts';
import { gate as judgeStored } from './release/index.ts';

export { judgeRuns } from './release/index.ts';

/** Options of `gate`. */
export interface GateCommandOptions {
  readonly out: string;
  readonly policy: Policy;
  readonly artifact?: string;
  readonly minCompletedRuns?: number;
  readonly minObservationDays?: number;
  readonly includeSource?: readonly RunSource[];
  readonly dataRegime?: DataRegime;
}

/** `gate`: judges what the database holds and stores the verdict. Exit code 0 pass, 3 fail, 4 insufficient_observation. */
export async function gate(options: GateCommandOptions, io: CommandIo): Promise<CommandResult> {
  const folder = join(options.out, 'db');
  const db = await openDatabase({ url: io.env.DATABASE_URL, folder, clock: io.clock });
  try {
    const store = {
      finishedRuns: (labels: Parameters<typeof finishedRuns>[1]) => finishedRuns(db, labels),
      tallyRuns: () => tallyRuns(db),
      saveVerdict: (verdict: Readonly<Record<string, unknown>>, at: number) =>
        saveVerdict(db, verdict, at),
    };
    return await judgeStored(options, store, io.clock);
  } finally {
    await db.close();
  }
}
