// The trials that a sampler has seen, in columns by parameter, so that a suggestion hardly touches each of them. This is a
// cache: a finished trial never changes, a trial that is not the same object is read anew, and the trials given decide alone.

import { constraintsOf, type Distribution, type FrozenTrial, toInternal } from '../study/index.ts';
import { argsort } from './argsort.ts';
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
  /** Takes trials in, and says what matters of each. */
  see(trials: readonly FrozenTrial[]): SeenTrial[];
  /** What some of the trials last seen observed; those that lack a parameter of the space are left out. */
  observe(trials: readonly SeenTrial[], space: SearchSpace): Observations[];
}

interface Column {
  readonly distribution: Distribution;
  /** by trial number; NaN = none; logarithms if the distribution is `log` */
  values: Float64Array;
  /** of the last time that many trials were observed: their numbers, and their order by value */
  numbers: Int32Array;
  order: Int32Array;
}

/** From here on, sorting anew costs more than to start from the last order. */
const manyTrials = 64;

/** Makes an empty history. */
export function createHistory(): History {
  const columns = new Map<string, Column>();
  const spaces: SearchSpace[] = [];
  const seen: SeenTrial[] = [];
  let places = new Int32Array(64).fill(-1);

  const columnOf = (name: string, distribution: Distribution): Column => {
    const known = columns.get(name);
    if (known !== undefined) return known;
    const values = new Float64Array(places.length).fill(Number.NaN);
    const none = new Int32Array(0);
    const column = { distribution, values, numbers: none, order: none };
    columns.set(name, column);
    return column;
  };
  const internSpace = (trial: FrozenTrial): SearchSpace => {
    const known = spaces.findLast((space) => hasSpace(trial, space));
    if (known === undefined) spaces.push(spaceOf(trial));
    return known ?? spaces.at(-1)!;
  };
  const grow = (count: number) => {
    const capacity = 2 ** Math.ceil(Math.log2(count));
    if (capacity <= places.length) return;
    places = new Int32Array(capacity).fill(-1);
    for (const column of columns.values()) {
      const values = new Float64Array(capacity).fill(Number.NaN);
      values.set(column.values);
      column.values = values;
    }
  };
  const read = (trial: FrozenTrial): SeenTrial => {
    for (const { values } of columns.values()) values[trial.number] = Number.NaN;
    const write = (name: string, distribution: Distribution, value: number) => {
      const isLog = distribution.kind !== 'categorical' && distribution.log;
      columnOf(name, distribution).values[trial.number] = isLog ? Math.log(value) : value;
    };
    for (const [name, value] of relativeParams(trial)) {
      const distribution = columns.get(name)?.distribution;
      if (distribution !== undefined) write(name, distribution, toInternal(distribution, value));
    }
    for (const [name, { distribution, value }] of trial.params) write(name, distribution, value);
    return {
      trial,
      space: internSpace(trial),
      violation: violationOf(trial),
      lastReport: lastReportOf(trial),
    };
  };
  /** Positions of the values in nearly ascending order; the sort works in this array, so that it serves the next time. */
  const nearlySorted = (column: Column, numbers: Int32Array, values: Float64Array): Int32Array => {
    const { numbers: before, order: orderBefore } = column;
    const order = new Int32Array(numbers.length);
    let placed = 0;
    for (let i = 0; i < numbers.length; i += 1) places[numbers[i]!] = i;
    for (let i = 0; i < orderBefore.length; i += 1) {
      const number = before[orderBefore[i]!]!;
      const place = places[number]!;
      if (place < 0) continue;
      places[number] = -1;
      order[placed] = place;
      placed += 1;
    }
    const isKnown = 2 * placed > numbers.length;
    for (let i = 0; i < numbers.length; i += 1) {
      if (places[numbers[i]!]! < 0) continue;
      places[numbers[i]!] = -1;
      order[placed] = i;
      placed += 1;
    }
    if (!isKnown) order.set(argsort(values));
    column.numbers = numbers;
    column.order = order;
    return order;
  };

  return {
    see(trials) {
      grow((trials.at(-1)?.number ?? 0) + 1);
      return trials.map((trial) => {
        const known = seen[trial.number];
        if (known?.trial === trial && isObserved(trial)) return known;
        const fresh = read(trial);
        seen[trial.number] = fresh;
        return fresh;
      });
    },
    observe(trials, space) {
      const used = [...space].map(([name, distribution]) => columnOf(name, distribution));
      const numbers = numbersWith(used, trials);
      return [...space.values()].map((distribution, i) => {
        const column = used[i]!;
        const values = gathered(column.values, numbers);
        return numbers.length < manyTrials || distribution.kind === 'categorical'
          ? { distribution, values }
          : { distribution, values, hint: nearlySorted(column, numbers, values) };
      });
    },
  };
}

/** Numbers of the trials that have a value in all columns. */
function numbersWith(columns: readonly Column[], trials: readonly SeenTrial[]): Int32Array {
  const numbers = new Int32Array(trials.length);
  let count = 0;
  for (const { trial } of trials) {
    let lacks = false;
    for (let i = 0; i < columns.length; i += 1) {
      lacks ||= Number.isNaN(columns[i]!.values[trial.number]!);
    }
    if (lacks) continue;
    numbers[count] = trial.number;
    count += 1;
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
