// What parameters trials have had, and which of them all trials share.

import { type Distribution, type FrozenTrial, isSingle, sameDistribution } from '../study/index.ts';

/** Distributions by the name of their parameter. */
export type SearchSpace = ReadonlyMap<string, Distribution>;

/** The parameters of a trial. */
export const spaceOf = ({ params }: FrozenTrial): SearchSpace =>
  new Map([...params].map(([name, { distribution }]) => [name, distribution]));

/** Whether a trial has just these parameters. */
export function hasSpace({ params }: FrozenTrial, space: SearchSpace): boolean {
  if (params.size !== space.size) return false;
  for (const [name, { distribution }] of params) {
    const expected = space.get(name);
    if (expected === undefined || !sameDistribution(distribution, expected)) return false;
  }
  return true;
}

/**
 * Parameters that are the same in all spaces and have more than one value, by name.
 * @source Optuna, `IntersectionSearchSpace`
 */
export function sharedSpace(spaces: Iterable<SearchSpace>): SearchSpace {
  const [first = new Map<string, Distribution>(), ...others] = spaces;
  const shared = [...first].filter(([name, distribution]) => {
    const isShared = others.every((space) => {
      const other = space.get(name);
      return other !== undefined && sameDistribution(distribution, other);
    });
    return isShared && !isSingle(distribution);
  });
  return new Map(shared.sort(([a], [b]) => (a < b ? -1 : 1)));
}
