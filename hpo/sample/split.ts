// Parts trials into those that TPE wants more of ("below") and the rest: feasible complete trials by value, then pruned ones
// by how far they came, then infeasible ones by how little they violate.

import type { Direction } from '../study/index.ts';
import type { SeenTrial } from './history.ts';
import { bestOfFronts } from './paretoRank.ts';

/** How many of n finished trials are "below". @source Optuna, `default_gamma`, `default_gamma_multiobjective` */
export function belowCount(n: number, directions: readonly Direction[]): number {
  const tenth = Math.ceil(0.1 * n);
  return directions.length > 1 ? tenth : Math.min(tenth, 25);
}

/**
 * Chooses the trials "below", and returns them by number.
 * @param trials finished, by number
 */
export function chooseBelow(
  trials: readonly SeenTrial[],
  directions: readonly Direction[],
): readonly SeenTrial[] {
  const wanted = belowCount(trials.length, directions);
  const complete: SeenTrial[] = [];
  const pruned: SeenTrial[] = [];
  const infeasible: SeenTrial[] = [];
  for (const seen of trials) {
    if (seen.violation > 0) infeasible.push(seen);
    else if (seen.trial.state === 'COMPLETE') complete.push(seen);
    else pruned.push(seen);
  }
  const below =
    directions.length > 1
      ? bestOfFronts(complete, losses(complete, directions), wanted)
      : lowest(complete, wanted, byLoss(directions[0]!));
  below.push(...lowest(pruned, wanted - below.length, byProgress(directions)));
  const byViolation: Compare = (a, b) => a.violation - b.violation;
  below.push(...lowest(infeasible, wanted - below.length, byViolation));
  return below.sort((a, b) => a.trial.number - b.trial.number);
}

type Compare = (a: SeenTrial, b: SeenTrial) => number;

const signOf = (direction: Direction): number => (direction === 'MAXIMIZE' ? -1 : 1);

const byLoss = (direction: Direction): Compare => {
  const sign = signOf(direction);
  return ({ trial: a }, { trial: b }) => sign * (a.values![0]! - b.values![0]!);
};

const losses = (trials: readonly SeenTrial[], directions: readonly Direction[]): number[][] =>
  trials.map(({ trial }) =>
    directions.map((direction, i) => signOf(direction) * trial.values![i]!),
  );

/** Farthest first, then the best report, NaN last; those without a report at the end. */
function byProgress(directions: readonly Direction[]): Compare {
  const reportOf = ({ lastReport }: SeenTrial) => {
    // Reports of trials with several objectives have no direction.
    if (lastReport === null || directions.length > 1) return 0;
    const value = signOf(directions[0]!) * lastReport.value;
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  };
  const placeOf = ({ lastReport }: SeenTrial) => (lastReport === null ? 1 : -lastReport.step);
  return (a, b) => placeOf(a) - placeOf(b) || order(reportOf(a), reportOf(b));
}

/** As numbers, infinities included. */
const order = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/** The lowest items, as many as there are up to `count`; of equal ones the earlier. */
function lowest<Item>(
  items: readonly Item[],
  count: number,
  compare: (a: Item, b: Item) => number,
): Item[] {
  const kept: Item[] = [];
  if (count <= 0) return kept;
  for (const item of items) {
    if (kept.length === count && compare(item, kept[count - 1]!) >= 0) continue;
    let place = Math.min(kept.length, count - 1);
    for (; place > 0 && compare(item, kept[place - 1]!) < 0; place -= 1) {
      kept[place] = kept[place - 1]!;
    }
    kept[place] = item;
  }
  return kept;
}
