// The best of a study: one trial for one direction, the Pareto front for several.

import { isFeasible } from './constraints.ts';
import type { Direction, FrozenTrial, StudySnapshot } from './types.ts';

/** Feasible COMPLETE trials; the values are there. */
const candidates = (study: StudySnapshot): readonly FrozenTrial[] =>
  study.trials.filter((trial) => trial.state === 'COMPLETE' && isFeasible(trial));

/** Whether value a is better than b. */
const better = (direction: Direction, a: number, b: number): boolean =>
  direction === 'MINIMIZE' ? a < b : a > b;

/** The feasible COMPLETE trial with the best first value, the earliest of equals; null = none. */
export function bestTrial(study: StudySnapshot): FrozenTrial | null {
  const direction = study.directions[0]!;
  return candidates(study).reduce<FrozenTrial | null>(
    (best, trial) =>
      best === null || better(direction, trial.values![0]!, best.values![0]!) ? trial : best,
    null,
  );
}

/**
 * The feasible COMPLETE trials that no other beats: better in one value and worse in none. Equal trials are all in
 * it. By number.
 */
export function paretoFront(study: StudySnapshot): readonly FrozenTrial[] {
  const all = candidates(study);
  return all.filter((trial) => !all.some((other) => dominates(study.directions, other, trial)));
}

function dominates(directions: readonly Direction[], a: FrozenTrial, b: FrozenTrial): boolean {
  let ahead = false;
  for (const [at, direction] of directions.entries()) {
    const [x, y] = [a.values![at]!, b.values![at]!];
    if (better(direction, y, x)) return false;
    if (better(direction, x, y)) ahead = true;
  }
  return ahead;
}
