// Pruning with several objectives, which Optuna has none of: reports are vectors, and a single-objective pruner judges
// their scalarised ranks. docs/decisions/023 says what that means and what else was weighed.

import { lowerBound, SluiceError } from '../../core/index.ts';
import {
  type Direction,
  type FrozenTrial,
  type Pruner,
  readVector,
  type StudySnapshot,
  vectorReportsOf,
} from '../study/index.ts';
import { lastStep } from './reports.ts';

type Vector = readonly number[];

/**
 * Judges vectors of reports by their scalarised rank: for each objective the share of all reports of the study, at any
 * step, that are strictly better; then the weighted mean of these shares, smaller = better. The inner pruner sees a study
 * that minimises this number. So whatever dominates ranks better, units do not matter, and a report with a NaN is NaN.
 *
 * With one objective the inner pruner sees the reports themselves. Ranks move as reports come; therefore what the inner
 * pruner remembers of a report, `completed_rung_k`, is remembered as the vector and ranked anew each time. For `peers` it
 * sees the steps of reports, with NaN as values.
 * @param weights of the objectives, finite, not negative, not all 0; equal where left out
 * @throws SluiceError `out_of_range`; `length_mismatch` from a decision on a study with other than so many directions
 */
export function multiObjectivePruner(inner: Pruner, weights?: Vector): Pruner {
  if (weights !== undefined) needWeights(weights);
  const reportsOf = remembering(readReports);
  return {
    decide(study, trial) {
      if (study.directions.length === 1) return inner.decide(study, trial);
      const ranked = rank(study, trial, weights, reportsOf);
      const { prune, remember } = inner.decide(ranked.study, ranked.trial);
      const last = reportsOf(trial).vectors.get(lastStep(ranked.trial) ?? Number.NaN);
      return { prune, remember: new Map(remember.keys().map((key) => [key, last ?? null])) };
    },
    peers(study, trial) {
      if (study.directions.length === 1) return inner.peers(study, trial);
      const stepsOnly = (of: FrozenTrial) => ({ ...of, reports: reportsOf(of).steps });
      const trials = study.trials.map(stepsOnly);
      const peers = inner.peers({ ...study, trials }, stepsOnly(trial));
      if (peers === null) return null;
      const numbers = new Set(peers.map(({ number }) => number));
      return study.trials.filter(({ number }) => numbers.has(number));
    },
  };
}

/** Reads each trial once: finished ones are the same objects each time. */
function remembering<T>(read: (trial: FrozenTrial) => T): (trial: FrozenTrial) => T {
  const known = new WeakMap<FrozenTrial, T>();
  return (trial) => {
    const value = known.get(trial) ?? read(trial);
    known.set(trial, value);
    return value;
  };
}

function needWeights(weights: Vector): void {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (!weights.every((weight) => weight >= 0) || !(sum > 0 && Number.isFinite(sum)))
    throw new SluiceError(
      'out_of_range',
      `The weights of objectives must be finite, not negative and not all 0, not ${weights.join(', ')}.`,
    );
}

/** The same study with one objective, whose reports are scalarised ranks. */
function rank(
  study: StudySnapshot,
  trial: FrozenTrial,
  weights: Vector | undefined,
  reportsOf: (trial: FrozenTrial) => Reports,
): { study: StudySnapshot; trial: FrozenTrial } {
  const given = weights ?? study.directions.map(() => 1);
  if (given.length !== study.directions.length)
    throw new SluiceError(
      'length_mismatch',
      `The study has ${study.directions.length} directions and the pruner ${given.length} weights; give one for each.`,
    );
  const trials = study.trials.map((other) => (other.number === trial.number ? trial : other));
  const vectors = trials.map((other) => reportsOf(other).vectors);
  const scalar = scalariser(
    vectors.flatMap((reports) => [...reports.values()]),
    study.directions,
    given,
  );
  const ranked = trials.map((other, i) => ({
    ...other,
    reports: new Map(vectors[i]!.entries().map(([step, vector]) => [step, scalar(vector)])),
    systemAttributes: new Map(
      other.systemAttributes
        .entries()
        .map(([key, value]) =>
          key.startsWith('completed_rung_') ? [key, scalar(readVector(value))] : [key, value],
        ),
    ),
  }));
  return {
    study: { ...study, directions: ['MINIMIZE'], trials: ranked },
    trial: ranked.find(({ number }) => number === trial.number)!,
  };
}

/** What a trial has reported, from its attributes. */
interface Reports {
  /** by step */
  readonly vectors: ReadonlyMap<number, Vector>;
  /** the same steps, for who looks at how far a trial came and no more */
  readonly steps: ReadonlyMap<number, number>;
}

function readReports(trial: FrozenTrial): Reports {
  const vectors = vectorReportsOf(trial);
  return { vectors, steps: new Map(vectors.keys().map((step) => [step, Number.NaN])) };
}

/** Makes the function from a vector to its scalarised rank among all of them. */
function scalariser(
  all: readonly Vector[],
  directions: readonly Direction[],
  weights: Vector,
): (vector: Vector) => number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const shareBetter = directions.map((direction, j) => {
    const sign = direction === 'MAXIMIZE' ? -1 : 1;
    const values = all.map((vector) => sign * (vector[j] ?? Number.NaN));
    const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
    return (value: number) => lowerBound(sorted, sign * value) / sorted.length;
  });
  return (vector) => {
    if (vector.length !== directions.length || vector.some(Number.isNaN)) return Number.NaN;
    return vector.reduce((sum, value, j) => sum + weights[j]! * shareBetter[j]!(value), 0) / total;
  };
}
