// What passes between a search and the processes that evaluate its trials: plain values, since they cross processes.

import type { Json, ParamValue } from '../study/index.ts';

/** One trial to evaluate. */
export interface TrialOrder {
  readonly studyName: string;
  readonly number: number;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** what the objective needs beside them: data, windows, config; the same for all trials of a study */
  readonly task: Json;
  /** native threads that this evaluation may use */
  readonly threads: number;
}

/** What an evaluation found. */
export interface TrialOutcome {
  /** one for each direction; null = it could not be evaluated, and `failure` says why */
  readonly values: readonly number[] | null;
  readonly failure: string | null;
  /** every term of the objective, and whatever else a reader of the trial wants */
  readonly userAttributes: Readonly<Record<string, Json>>;
  /** [step, value] in their order; those that the watch was told need not be here again */
  readonly reports: readonly (readonly [number, number])[];
  /** true: it gave up because the watch said so; `values` do not count */
  readonly pruned?: boolean | undefined;
  /** at most 0 where the trial is feasible */
  readonly constraints?: Readonly<Record<string, number>> | undefined;
}

/** Hears how an evaluation goes. */
export interface Watch {
  /**
   * Tells a value on the way.
   * @returns whether the trial promises too little and should end, `pruned`
   * @throws Error unless the step is a whole number from 0
   */
  report(step: number, value: number): Promise<boolean>;
}

/**
 * Evaluates a trial; the function that a module of objectives exports under the name `evaluate`. What it throws makes the
 * trial FAIL. In a worker process the watch is always there.
 */
export type Evaluate = (order: TrialOrder, watch?: Watch) => Promise<TrialOutcome>;

/**
 * Evaluates several trials at once, such as members of one batch; exported under the name `evaluateBatch`. What it finds of
 * one trial must not depend on the others. In a worker process `watchOf` is always there and gives the watch of each number.
 * @returns one outcome for each order
 */
export type EvaluateBatch = (
  orders: readonly TrialOrder[],
  watchOf?: (number: number) => Watch | undefined,
) => Promise<readonly TrialOutcome[]>;
