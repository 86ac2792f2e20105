// All combinations of given values, one for each trial, in an order that a seed shuffles: the serial baseline.

import { SluiceError } from '../../core/index.ts';
import {
  contains,
  type FrozenTrial,
  type Json,
  type ParamValue,
  type Sampler,
  type StudySnapshot,
  toInternal,
} from '../study/index.ts';
import { mersenneTwister } from './mt19937.ts';
import { type Seeding, streamsOf } from './streams.ts';

/** Values by parameter. */
export type Grid = Readonly<Record<string, readonly ParamValue[]>>;

/** Settings of a grid; the seed is 0 by default, as with Optuna. */
export type GridOptions = Partial<Seeding>;

/**
 * Makes a sampler that tries every combination of the grid once, then is exhausted. It remembers with each trial its
 * `grid_id` and `search_space`, so that others (Optuna too) can go on.
 * @throws SluiceError `out_of_range` if a suggested value is not in its distribution
 * @source Optuna, `GridSampler`
 */
export function gridSampler(grid: Grid, options: GridOptions = {}): Sampler {
  const seeding = { seed: 0, ...options };
  const names = Object.keys(grid).sort();
  const space = Object.fromEntries(names.map((name) => [name, grid[name]!]));
  const key = JSON.stringify(space);
  const points = combinations(names.map((name) => grid[name]!));
  const random = mersenneTwister(seeding.seed);
  shuffle(points, random.upTo);
  const streams = seeding.perTrial === true ? streamsOf(seeding) : () => random;

  const idOf = ({ systemAttributes }: FrozenTrial): number | null => {
    const id = systemAttributes.get('grid_id');
    return typeof id === 'number' && keyOf(systemAttributes.get('search_space')) === key
      ? id
      : null;
  };
  const idsWithout = (states: (trial: FrozenTrial) => boolean, study: StudySnapshot): number[] => {
    const taken = new Set(study.trials.filter(states).map(idOf));
    return points.map((_, id) => id).filter((id) => !taken.has(id));
  };
  const open = (study: StudySnapshot): number[] => {
    const untouched = idsWithout((trial) => hasEnded(trial) || trial.state === 'RUNNING', study);
    return untouched.length > 0 ? untouched : idsWithout(hasEnded, study);
  };
  const choose = (study: StudySnapshot, trial: FrozenTrial): number => {
    if (trial.number < points.length) return trial.number;
    const ids = open(study);
    const { upTo } = streams(trial, null);
    return ids.length === 0 ? upTo(points.length - 1) : ids[upTo(ids.length - 1)]!;
  };

  return {
    relative: () => new Map(),
    remember(study, trial) {
      const attributes = trial.systemAttributes;
      if (attributes.has('grid_id') || attributes.has('fixed_params')) return new Map();
      return new Map<string, Json>([
        ['search_space', space],
        ['grid_id', choose(study, trial)],
      ]);
    },
    independent(_study, trial, name, distribution) {
      const id = trial.systemAttributes.get('grid_id');
      const place = names.indexOf(name);
      if (typeof id !== 'number' || place < 0 || points[id] === undefined) {
        throw new SluiceError(
          'input_invalid',
          `A grid gives every parameter of a trial a value; found none for ${name} of trial ${trial.number}. Add it to the grid, or fix all parameters when enqueueing.`,
          { name, number: trial.number },
        );
      }
      const value = points[id][place]!;
      const inner = toInternal(distribution, value);
      if (contains(distribution, inner)) return inner;
      throw new SluiceError(
        'out_of_range',
        `The grid's value ${JSON.stringify(value)} is not one that ${name} can have; correct the grid or the range.`,
        { name, value, distribution },
      );
    },
    isExhausted: (study) => idsWithout(hasEnded, study).length === 0,
  };
}

const hasEnded = ({ state }: FrozenTrial): boolean =>
  state === 'COMPLETE' || state === 'PRUNED' || state === 'FAIL';

/** A search space as text, whatever the order of its names. */
function keyOf(space: Json | undefined): string | null {
  if (typeof space !== 'object' || space === null || Array.isArray(space)) return null;
  return JSON.stringify(Object.fromEntries(Object.entries(space).sort(([a], [b]) => order(a, b))));
}

const order = (a: string, b: string): number => (a < b ? -1 : 1);

/** All combinations; the last place changes fastest. */
const combinations = (choices: readonly (readonly ParamValue[])[]): ParamValue[][] =>
  choices.reduce<ParamValue[][]>(
    (points, values) => points.flatMap((point) => values.map((value) => [...point, value])),
    [[]],
  );

/** Fisher and Yates, as `RandomState.shuffle` does it. */
function shuffle(items: unknown[], upTo: (most: number) => number): void {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = upTo(i);
    [items[i], items[j]] = [items[j], items[i]];
  }
}
