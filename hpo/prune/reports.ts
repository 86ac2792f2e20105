// What pruners read in trials.

import type { FrozenTrial, PruneDecision } from '../study/index.ts';

/** Let the trial go on; nothing to remember. */
export const goOn: PruneDecision = { prune: false, remember: new Map() };

/** End the trial; nothing to remember. */
export const end: PruneDecision = { prune: true, remember: new Map() };

/** The largest step that a trial has reported, whatever the order of its reports; null = none. */
export function lastStep(trial: FrozenTrial): number | null {
  let last: number | null = null;
  for (const step of trial.reports.keys()) if (last === null || step > last) last = step;
  return last;
}

/**
 * Last step of the trial that was the first to complete with a report; null = none has yet.
 *
 * Optuna takes the largest such step at the moment it first looks and keeps it in the process. Trials run one after the
 * other make that the same trial; ours is the same one in every process and after every restart as well.
 */
export function firstCompletedStep(trials: readonly FrozenTrial[]): number | null {
  const first = trials
    .filter((trial) => trial.state === 'COMPLETE' && trial.reports.size > 0)
    .reduce<FrozenTrial | null>(
      (best, trial) => (best === null || finishedAt(trial) < finishedAt(best) ? trial : best),
      null,
    );
  return first === null ? null : lastStep(first);
}

const finishedAt = (trial: FrozenTrial): number => trial.completedAt ?? Number.POSITIVE_INFINITY;
