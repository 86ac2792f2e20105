// The unit space that trials of a study are points of.

import type { Distribution, FrozenTrial, TrialParam } from '../study/index.ts';
import type { Axis } from './tree.ts';

/** One parameter of the trials as an axis and a column. */
export interface Column {
  readonly name: string;
  readonly axis: Axis;
  /** one for each trial: place in [0, 1], or index of the choice */
  readonly values: Float64Array;
}

/**
 * The parameters that all the trials have, as they are sampled: logarithms where the distribution has them, half a step
 * added at both ends so that all values of a grid weigh the same; the widest range where it changed meanwhile.
 * @param trials one at least
 */
export function columnsOf(trials: readonly FrozenTrial[]): Column[] {
  const shared = [...trials[0]!.params.keys()].filter((name) =>
    trials.every(({ params }) => params.has(name)),
  );
  return shared.map((name) =>
    columnOf(
      name,
      trials.map(({ params }) => params.get(name)!),
    ),
  );
}

function columnOf(name: string, params: readonly TrialParam[]): Column {
  const internal = params.map(({ value }) => value);
  const { distribution } = params[0]!;
  if (distribution.kind === 'categorical') {
    const axis: Axis = { kind: 'choices', count: distribution.choices.length };
    return { name, axis, values: Float64Array.from(internal) };
  }
  const scale = distribution.log ? Math.log : (x: number) => x;
  const ranges = params.map((param) => rangeOf(param.distribution));
  const low = scale(ranges.reduce((least, [from]) => Math.min(least, from), Infinity));
  const high = scale(ranges.reduce((most, [, to]) => Math.max(most, to), -Infinity));
  // a range of one value has nothing to be cut at
  const place = (x: number) => (high > low ? (scale(x) - low) / (high - low) : 0.5);
  return { name, axis: { kind: 'range' }, values: Float64Array.from(internal, place) };
}

function rangeOf(distribution: Distribution): readonly [number, number] {
  if (distribution.kind === 'categorical') return [0, 0];
  const half = (distribution.step ?? 0) / 2;
  return [distribution.low - half, distribution.high + half];
}
