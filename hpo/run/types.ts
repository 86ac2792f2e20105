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
  /** [step, value] in their order */
  readonly reports: readonly (readonly [number, number])[];
}

/** Evaluates a trial; the function that a module of objectives exports under the name `evaluate`. */
export type Evaluate = (order: TrialOrder) => Promise<TrialOutcome>;
