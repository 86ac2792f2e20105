// The values of one parameter by trial, and the trials in their order: few values change from one suggestion to the next, so
// the order is kept up to date instead of sorted anew.

/** Values of a parameter, numbers of trials standing for the trials. */
export interface Column {
  /** by trial; NaN = none, as is what lies beyond the end */
  values: Float64Array;
  /** trials with a value, by value; what lies behind the first `count` is room */
  sorted: Int32Array;
  count: number;
}

/** Makes a column without values. */
export const createColumn = (): Column => ({
  values: new Float64Array(64).fill(Number.NaN),
  sorted: new Int32Array(64),
  count: 0,
});

/** Puts a trial's value, or NaN to remove it. */
export function setValue(column: Column, trial: number, value: number): void {
  const before = column.values[trial] ?? Number.NaN;
  if (Object.is(before, value)) return;
  if (!Number.isNaN(before)) remove(column, trial);
  if (trial >= column.values.length) grow(column, trial + 1);
  column.values[trial] = value;
  if (!Number.isNaN(value)) insert(column, trial, value);
}

function remove(column: Column, trial: number): void {
  const place = column.sorted.indexOf(trial);
  column.sorted.copyWithin(place, place + 1, column.count);
  column.count -= 1;
}

function insert(column: Column, trial: number, value: number): void {
  const { values, sorted } = column;
  let [first, end] = [0, column.count];
  while (first < end) {
    const middle = (first + end) >> 1;
    if (values[sorted[middle]!]! < value) first = middle + 1;
    else end = middle;
  }
  sorted.copyWithin(first + 1, first, column.count);
  sorted[first] = trial;
  column.count += 1;
}

function grow(column: Column, count: number): void {
  const capacity = 2 ** Math.ceil(Math.log2(count));
  const values = new Float64Array(capacity).fill(Number.NaN);
  values.set(column.values);
  column.values = values;
  const sorted = new Int32Array(capacity);
  sorted.set(column.sorted);
  column.sorted = sorted;
}

/**
 * The order of some trials by value; null if two of them have the same, for then the order is not the values' alone.
 * @param trials [n] that have a value
 * @param placeOf [trials at least] place of each trial in `trials`, -1 = none
 * @returns [n] places
 */
export function orderAmong(
  { values, sorted, count }: Column,
  trials: Int32Array,
  placeOf: Int32Array,
): Int32Array | null {
  const order = new Int32Array(trials.length);
  let placed = 0;
  let last = Number.NaN;
  for (let i = 0; i < count; i += 1) {
    const place = placeOf[sorted[i]!]!;
    if (place < 0) continue;
    const value = values[sorted[i]!]!;
    if (value === last) return null;
    last = value;
    order[placed] = place;
    placed += 1;
  }
  return order;
}
