// The best of trials with several objectives: front by front (Deb et al. 2002, "NSGA-II"), and of the front that does not fit
// whole the members that together dominate most. Losses are minimised.

import { mostHypervolume } from './hypervolume.ts';

/** A vector of losses. */
export type Losses = readonly number[];

/** Compares vectors by their first element, then by the second, and so on. */
export function compareLosses(a: Losses, b: Losses): number {
  for (let i = 0; i < a.length; i += 1) {
    if (a[i]! !== b[i]!) return a[i]! < b[i]! ? -1 : 1;
  }
  return 0;
}

/**
 * The members that no other dominates.
 * @param sorted vectors in the order of {@link compareLosses}; of equal ones only the first can be a member
 */
export function frontOf<Item>(sorted: readonly Item[], lossesOf: (item: Item) => Losses): Item[] {
  const front: Item[] = [];
  for (const item of sorted) {
    const losses = lossesOf(item);
    // Those that come later cannot dominate.
    const isDominated = front.some((member) =>
      lossesOf(member).every((loss, i) => loss <= losses[i]!),
    );
    if (!isDominated) front.push(item);
  }
  return front;
}

/**
 * Chooses `wanted` items, or all if there are fewer.
 * @source Optuna 5.0, `_split_complete_trials_multi_objective`
 */
export function bestOfFronts<Item>(
  items: readonly Item[],
  losses: readonly Losses[],
  wanted: number,
): Item[] {
  if (wanted >= items.length) return [...items];
  const chosen: number[] = [];
  let remaining = groupEqual(losses);
  while (chosen.length < wanted) {
    const front = frontOf(remaining, (group) => losses[group[0]!]!);
    const members = front.flat();
    const free = wanted - chosen.length;
    if (members.length > free) chosen.push(...mostHypervolume(front, losses, free));
    else chosen.push(...members);
    const isTaken = new Set(front);
    remaining = remaining.filter((group) => !isTaken.has(group));
  }
  return chosen.map((i) => items[i]!);
}

/** Indices of equal vectors together, ascending; groups in the order of {@link compareLosses}. */
function groupEqual(losses: readonly Losses[]): number[][] {
  const indices = losses.map((_, i) => i);
  indices.sort((a, b) => compareLosses(losses[a]!, losses[b]!) || a - b);
  const groups: number[][] = [];
  for (const i of indices) {
    const group = groups.at(-1);
    if (group !== undefined && compareLosses(losses[group[0]!]!, losses[i]!) === 0) group.push(i);
    else groups.push([i]);
  }
  return groups;
}
