// Searches that the tests of runs share.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectPath, systemClock } from '../../../core/index.ts';
import { type RunOptions, type RunResult, runStudy } from '../../../hpo/run/index.ts';
import { tpeSampler } from '../../../hpo/sample/index.ts';
import { openStorage } from '../../../hpo/storage/index.ts';
import {
  categoricalDistribution,
  type FrozenTrial,
  floatDistribution,
  intDistribution,
} from '../../../hpo/study/index.ts';
import type { TestTask } from './objective.ts';

export const space = {
  x: floatDistribution(-1, 1),
  n: intDistribution(1, 20),
  kind: categoricalDistribution(['a', 'b']),
};

export const objective = projectPath('test', 'hpo', 'run', 'objective.ts');

type Changes = Omit<Partial<RunOptions>, 'study' | 'task'> & {
  readonly task?: TestTask;
  readonly study?: Partial<RunOptions['study']>;
  /** where the study lives; `study.db` of the folder where left out */
  readonly storage?: string;
};

/** Runs a study in a folder: `study.db` and `study.jsonl`. */
export async function runIn(
  folder: string,
  { storage: where = join(folder, 'study.db'), ...changes }: Changes,
): Promise<RunResult> {
  const storage = await openStorage(where);
  try {
    return await runStudy({
      space,
      journal: join(folder, 'study.jsonl'),
      module: objective,
      trials: 10,
      workers: 2,
      cores: 2,
      ...changes,
      task: { ...changes.task },
      study: {
        storage,
        name: 'study',
        sampler: tpeSampler({ seed: 1, perTrial: true, startupTrials: 5 }),
        clock: systemClock,
        directions: ['MINIMIZE'],
        ...changes.study,
      },
    });
  } finally {
    await storage.close();
  }
}

/** Does something in a folder that is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-run-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What is decided by the seed, of all trials: no times, ids, or counts of retries. */
export const decided = (trials: readonly FrozenTrial[]) =>
  trials.map(({ number, state, values, params, reports, userAttributes, systemAttributes }) => ({
    number,
    state,
    values,
    params: [...params].map(([name, { value }]) => [name, value]),
    reports: [...reports],
    userAttributes: [...userAttributes],
    reason: systemAttributes.get('fail_reason'),
  }));

/** Numbers of the evaluations that began, as the task's log has them. */
export const begun = (log: string): number[] =>
  readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]));
