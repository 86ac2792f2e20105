// What a study has read of its trials: finished ones are read once, open ones again each time.

import type { Storage } from './storage.ts';
import type { Distribution, FrozenTrial, TrialState } from './types.ts';

/** The trials of one study in one process. */
export interface TrialCache {
  /** Reads what is new or was not finished. */
  refresh(): Promise<void>;
  /** By number; finished ones are the same objects each time. */
  trials(): readonly FrozenTrial[];
  /** The distribution that a name had first. */
  distribution(name: string): Distribution | undefined;
}

/** Whether a trial of this state never changes again. */
export const isFinished = (state: TrialState): boolean =>
  state === 'COMPLETE' || state === 'PRUNED' || state === 'FAIL';

/** An empty cache; `refresh` fills it. Refreshes may overlap. */
export function createTrialCache(storage: Storage, studyId: number): TrialCache {
  const trials: FrozenTrial[] = [];
  const open = new Set<number>();
  const distributions = new Map<string, Distribution>();
  let lastId = -1;

  const take = (trial: FrozenTrial): void => {
    lastId = Math.max(lastId, trial.id);
    // an overlapping refresh may have read its end already
    if (isFinished(trials[trial.number]?.state ?? 'WAITING')) return;
    trials[trial.number] = trial;
    if (isFinished(trial.state)) open.delete(trial.id);
    else open.add(trial.id);
    for (const [name, { distribution }] of trial.params) {
      if (!distributions.has(name)) distributions.set(name, distribution);
    }
  };
  return {
    refresh: async () => {
      for (const trial of await storage.readTrials(studyId, lastId, [...open])) take(trial);
    },
    trials: () => trials,
    distribution: (name) => distributions.get(name),
  };
}
