// What a run tells of its progress.

import { bestTrial, type FrozenTrial, isFinished, type StudySnapshot } from '../study/index.ts';
import type { Dispatcher } from './dispatch.ts';
import type { RunOptions } from './options.ts';

/** Tells of trials that this run finished, and counts them. */
export interface Teller {
  tell(trial: FrozenTrial): void;
  count(): number;
}

/** A teller that begins with the study as it was before the run. */
export function createTeller(
  { onProgress, trials: wanted }: RunOptions,
  dispatcher: Dispatcher,
  before: StudySnapshot,
): Teller {
  const known = before.trials.filter(({ state }) => isFinished(state)).length;
  const isSingle = before.directions.length === 1;
  let best = isSingle ? bestTrial(before) : null;
  let count = 0;
  return {
    count: () => count,
    tell(trial: FrozenTrial): void {
      count += 1;
      const two = best === null ? [trial] : [best, trial];
      if (isSingle) best = bestTrial({ ...before, trials: two });
      const { size: running } = dispatcher.running;
      onProgress?.({ trial, best, finished: known + count, trials: wanted, running });
    },
  };
}
