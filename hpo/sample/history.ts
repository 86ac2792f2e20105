// The trials that a sampler has seen, in columns by parameter, so that a suggestion hardly touches each of them. This is a
// cache: a finished trial never changes, a trial that is not the same object is read anew, and the trials given decide alone.

import { constraintsOf, type Distribution, type FrozenTrial, toInternal } from '../study/index.ts';
import { type Column, createColumn, orderAmong, setValue } from './column.ts';
import type { Observations } from './kernels.ts';
import { relativeParams } from './relativeParams.ts';
import { hasSpace, type SearchSpace, spaceOf } from './searchSpace.ts';

/** What matters of a trial besides the values of its parameters. */
export interface SeenTrial {
  readonly trial: FrozenTrial;
  readonly space: SearchSpace;
  /** by how much its constraints exceed 0, in sum; 0 = feasible */
  readonly violation: number;
  /** the report of its last step; null = none */
  readonly lastReport: { readonly step: number; readonly value: number } | null;
}

/** Trials seen so far. */
export interface History {
  /** Takes a trial in, and says what matters of it. */
  see(trial: FrozenTrial): SeenTrial;
  /** What some of the trials last seen observed; those that lack a parameter of the space are left out. */
  observe(trials: readonly SeenTrial[], space: SearchSpace): Observations[];
}

/** Fewer trials than this share of all are sorted by themselves, sooner than picked out of the order of all. */
const smallShare = 1 / 8;

/** Makes an empty history. */
export function createHistory(): History {
  const columns = new Map<string, Column>();
  const spaces: SearchSpace[] = [];
  const seen: SeenTrial[] = [];
  /** by trial number; -1 = none, but for a moment */
  let placeOf = new Int32Array(0);

  const columnOf = (name: string): Column => {
    const column = columns.get(name) ?? createColumn();
    columns.set(name, column);
    return column;
  };
  const internSpace = (trial: FrozenTrial): SearchSpace => {
    const known = spaces.findLast((space) => hasSpace(trial, space));
    if (known === undefined) spaces.push(spaceOf(trial));
    return known ?? spaces.at(-1)!;
  };
  const writeFinished = ({ number, params }: FrozenTrial): void => {
    for (const name of params.keys()) columnOf(name);
    for (const [name, column] of columns) {
      const param = params.get(name);
      const value = param === undefined ? Number.NaN : scaled(param.distribution, param.value);
      setValue(column, number, value);
    }
  };
  /** What a running trial shares before the objective asks for it has the meaning that the space gives it. */
  const writeRunning = (trial: FrozenTrial, space: SearchSpace): void => {
    const shared = new Map(relativeParams(trial));
    for (const [name, distribution] of space) {
      const own = trial.params.get(name);
      const value = shared.get(name);
      const known =
        own ?? (value !== undefined && { distribution, value: toInternal(distribution, value) });
      setValue(
        columnOf(name),
        trial.number,
        known ? scaled(known.distribution, known.value) : Number.NaN,
      );
    }
  };

  return {
    see(trial) {
      const known = seen[trial.number];
      if (known?.trial === trial && isObserved(trial)) return known;
      if (isObserved(trial)) writeFinished(trial);
      const fresh = {
        trial,
        space: internSpace(trial),
        violation: violationOf(trial),
        lastReport: lastReportOf(trial),
      };
      seen[trial.number] = fresh;
      return fresh;
    },
    observe(trials, space) {
      for (const { trial } of trials) if (!isObserved(trial)) writeRunning(trial, space);
      const used = [...space.keys()].map(columnOf);
      const numbers = numbersWith(used, trials);
      const isFew = numbers.length < smallShare * seen.length;
      if (placeOf.length < seen.length) placeOf = new Int32Array(2 * seen.length).fill(-1);
      for (let i = 0; i < numbers.length; i += 1) placeOf[numbers[i]!] = i;
      const observations = [...space.values()].map((distribution, i): Observations => {
        const column = used[i]!;
        const values = gathered(column.values, numbers);
        if (isFew || distribution.kind === 'categorical') return { distribution, values };
        const order = orderAmong(column, numbers, placeOf);
        return order === null ? { distribution, values } : { distribution, values, order };
      });
      for (let i = 0; i < numbers.length; i += 1) placeOf[numbers[i]!] = -1;
      return observations;
    },
  };
}

/** An internal value on the scale of its bells. */
const scaled = (distribution: Distribution, value: number): number =>
  distribution.kind !== 'categorical' && distribution.log ? Math.log(value) : value;

/** Numbers of the trials that have a value in all columns. */
function numbersWith(columns: readonly Column[], trials: readonly SeenTrial[]): Int32Array {
  const numbers = new Int32Array(trials.length);
  for (let i = 0; i < trials.length; i += 1) numbers[i] = trials[i]!.trial.number;
  let count = numbers.length;
  for (const { values } of columns) {
    let kept = 0;
    for (let i = 0; i < count; i += 1) {
      const number = numbers[i]!;
      if (!Number.isFinite(values[number])) continue;
      numbers[kept] = number;
      kept += 1;
    }
    count = kept;
  }
  return numbers.subarray(0, count);
}

function gathered(values: Float64Array, numbers: Int32Array): Float64Array {
  const chosen = new Float64Array(numbers.length);
  for (let i = 0; i < numbers.length; i += 1) chosen[i] = values[numbers[i]!]!;
  return chosen;
}

/** Whether a sampler can learn from a trial: it ended, with a result or without its last part. */
export const isObserved = ({ state }: FrozenTrial): boolean =>
  state === 'COMPLETE' || state === 'PRUNED';

function violationOf(trial: FrozenTrial): number {
  let sum = 0;
  for (const value of constraintsOf(trial).values()) if (value > 0) sum += value;
  return sum;
}

function lastReportOf({ reports }: FrozenTrial): SeenTrial['lastReport'] {
  if (reports.size === 0) return null;
  const step = Math.max(...reports.keys());
  return { step, value: reports.get(step)! };
}
