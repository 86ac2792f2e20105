// The gate, wired to the store: the command, and the judgement that the command line hands to training.

import { join } from 'node:path';
import type {
  CommandIo,
  CommandResult,
  DataRegime,
  Policy,
  RunRecord,
  RunSource,
} from '../core/index.ts';
import { finishedRuns, openDatabase, saveVerdict, tallyRuns } from '../data/store/index.ts';
import {
  gateFilters,
  gate as gateOver,
  gateRequirementsSchema,
  judge,
  selectEvidence,
  type Verdict,
} from './release/index.ts';

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
    return await gateOver(options, store, io.clock);
  } finally {
    await db.close();
  }
}

/** What a retrain asks. */
export interface RunsQuestion {
  readonly policy: Policy;
  readonly artifactDigest: string;
  readonly minCompletedRuns: number;
  readonly minObservationDays: number;
}

/** The verdict over given runs; stores nothing. */
export function judgeRuns(
  runs: readonly RunRecord[],
  question: RunsQuestion,
): Verdict & Readonly<Record<string, unknown>> {
  const { policy, artifactDigest } = question;
  const requirements = gateRequirementsSchema.parse({
    min_completed_runs: question.minCompletedRuns,
    min_observation_days: question.minObservationDays,
  });
  const filters = gateFilters({ policy, artifactDigest });
  return { ...judge(selectEvidence(runs, filters), requirements) };
}
