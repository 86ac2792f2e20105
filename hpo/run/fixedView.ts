// What a trial of a deterministic run sees of its study: as much as its number says, whatever the workers have done so far.

import type { FrozenTrial, Pruner, Sampler, StudySnapshot } from '../study/index.ts';

/**
 * The study for trial `number`: trials up to number - window as they ended (they must have), those between as running with
 * nothing but their parameters, and none later.
 */
export function fixedView(study: StudySnapshot, number: number, window: number): StudySnapshot {
  const trials = study.trials
    .slice(0, number)
    .map((trial) => (trial.number <= number - window ? trial : asRunning(trial)));
  return { ...study, trials };
}

/** A sampler that sees no more than {@link fixedView}. */
export function fixedSampler(sampler: Sampler, window: number): Sampler {
  const view = (study: StudySnapshot, trial: FrozenTrial) => fixedView(study, trial.number, window);
  return {
    ...sampler,
    relative: (study, trial) => sampler.relative(view(study, trial), trial),
    independent: (study, trial, name, distribution) =>
      sampler.independent(view(study, trial), trial, name, distribution),
    ...(sampler.remember && {
      remember: (study: StudySnapshot, trial: FrozenTrial, relative) =>
        sampler.remember!(view(study, trial), trial, relative),
    }),
  } satisfies Sampler;
}

/** A pruner that sees no more than {@link fixedView}. */
export function fixedPruner(pruner: Pruner, window: number): Pruner {
  return {
    decide: (study, trial) => pruner.decide(fixedView(study, trial.number, window), trial),
    peers: (study, trial) => pruner.peers(fixedView(study, trial.number, window), trial),
  };
}

/** A trial as it was when it was asked for. */
function asRunning(trial: FrozenTrial): FrozenTrial {
  return {
    ...trial,
    state: 'RUNNING',
    values: null,
    reports: new Map(),
    userAttributes: new Map(),
    systemAttributes: new Map([...trial.systemAttributes].filter(([key]) => isOfAsking(key))),
    completedAt: null,
  };
}

/** Whether a system attribute was there before the trial ran. */
const isOfAsking = (key: string): boolean =>
  ['fixed_params', 'grid_id', 'search_space'].includes(key) ||
  key.startsWith('tpe:relative_params:');
