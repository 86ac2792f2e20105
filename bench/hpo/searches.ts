// Runs to be measured, in folders that are gone afterwards.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectPath, systemClock } from '../../core/index.ts';
import { type RunProgress, runStudy } from '../../hpo/run/index.ts';
import { randomSampler } from '../../hpo/sample/index.ts';
import { openSqliteStorage } from '../../hpo/storage/index.ts';
import { type FrozenTrial, floatDistribution } from '../../hpo/study/index.ts';
import { summarise } from '../harness.ts';

/** Does something in a folder that is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs trials of random search that take some steps each, with storage and journal on the disk. */
export function search(
  run: { readonly trials: number; readonly workers: number; readonly steps: number },
  onProgress: (progress: RunProgress) => void = () => {},
): Promise<readonly FrozenTrial[]> {
  const { trials, workers, steps } = run;
  return inFolder(async (folder) => {
    const storage = openSqliteStorage(join(folder, 'study.db'));
    const result = await runStudy({
      study: {
        storage,
        name: 'bench',
        directions: ['MINIMIZE'],
        sampler: randomSampler({ seed: 1, perTrial: true }),
        clock: systemClock,
      },
      space: { x: floatDistribution(-1, 1) },
      journal: join(folder, 'study.jsonl'),
      module: projectPath('bench', 'hpo', 'objective.ts'),
      task: { steps },
      trials,
      workers,
      onProgress,
    });
    await storage.close();
    if (result.trials.some(({ state }) => state !== 'COMPLETE')) throw new Error('a trial failed');
    return result.trials;
  });
}

/** Seconds since some moment. */
export const seconds = (): number => Number(process.hrtime.bigint()) / 1e9;

/** The middle one of some numbers. */
export const medianOf = (numbers: readonly number[]): number => summarise(numbers).median_s;
