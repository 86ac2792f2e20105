// Everything that the report of a search shows; the JSON beside the HTML is exactly this document.

import type { Direction, Distribution, Json, ParamValue, TrialState } from '../study/index.ts';

/** A number as JSON can say it. */
export type Figure = number | 'inf' | '-inf' | 'nan';

/** A trial, by the name of its study and its number there. */
export interface TrialName {
  readonly study: string;
  readonly number: number;
}

/** One trial, whole. */
export interface TrialReport {
  readonly number: number;
  readonly state: TrialState;
  /** one for each direction; a pruned trial of one direction has its last report */
  readonly values: readonly Figure[] | null;
  /** as the objective saw them */
  readonly params: Readonly<Record<string, ParamValue>>;
  /** [step, value] by step */
  readonly reports: readonly (readonly [number, Figure])[];
  /** at most 0 where the trial is feasible */
  readonly constraints: Readonly<Record<string, Figure>>;
  readonly feasible: boolean;
  /** the terms of the objective are among them */
  readonly user_attributes: Readonly<Record<string, Json>>;
  /** why it failed; null = it did not, or nobody said why */
  readonly failure: string | null;
  /** from its start to its end; null = not finished */
  readonly seconds: number | null;
  /** the trial of an earlier stage that this one takes up */
  readonly parent: TrialName | null;
  /** whether a trial of a later stage takes this one up */
  readonly went_on: boolean;
  readonly candidate: boolean;
}

/** A parameter of a study, with the distribution that it had last. */
export interface ParameterReport {
  readonly name: string;
  readonly distribution: Distribution;
}

/** How much each parameter that all complete trials have matters for one objective, by fANOVA. */
export interface ImportanceReport {
  /** index of the direction */
  readonly objective: number;
  /** complete trials that it rests on */
  readonly trial_count: number;
  /** shares of the variance, largest first; what is missing to 1 is what several parameters do together */
  readonly parameters: readonly { readonly name: string; readonly share: number }[];
}

/** One study: a stage of the search, or all of it. */
export interface StudyReport {
  readonly name: string;
  /** null = of no lineage */
  readonly stage: number | null;
  readonly parent: string | null;
  readonly config_digest: string | null;
  /** false: of another search of the lineage, of which only the count of trials is shown */
  readonly of_search: boolean;
  /** a deleted study has left nothing but its count of trials */
  readonly deleted: boolean;
  /** every trial ever made in it */
  readonly trial_count: number;
  readonly directions: readonly Direction[];
  /** names of the values, one for each direction */
  readonly objectives: readonly string[];
  readonly states: Readonly<Record<TrialState, number>>;
  readonly parameters: readonly ParameterReport[];
  /** for one direction the best trials, best first; for several the Pareto front, by number. Feasible and COMPLETE */
  readonly best: readonly number[];
  /** for each direction the best feasible value so far: [trial number, value] where it improved */
  readonly best_so_far: readonly (readonly (readonly [number, Figure])[])[];
  /** one for each direction about which something can be told */
  readonly importance: readonly ImportanceReport[];
  /** first start and last end of a trial, Unix ms */
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly trials: readonly TrialReport[];
}

/** A stage of the search's funnel. */
export interface StageReport {
  readonly stage: number | null;
  readonly studies: number;
  /** every trial ever made, deleted studies included */
  readonly trial_count: number;
  readonly complete: number;
  readonly pruned: number;
  readonly failed: number;
  /** running or waiting */
  readonly open: number;
  /** trials that a later stage takes up */
  readonly went_on: number;
  readonly candidates: number;
}

/** A winner of the last stage, as it was handed to the registry. */
export interface CandidateReport extends TrialName {
  readonly candidate_id: string;
  /** what is known of it: DSR, windows, digests; shown as it is */
  readonly figures: Readonly<Record<string, Json>>;
}

/** The whole report of one search. */
export interface SearchReport {
  readonly report_version: 'hpo_report_v1';
  /** Unix ms */
  readonly made_at: number;
  readonly name: string;
  /** null = a study of no lineage */
  readonly lineage_id: string | null;
  /** every trial ever made in the lineage: what the deflated Sharpe ratio is told */
  readonly trial_count: number;
  readonly stages: readonly StageReport[];
  readonly studies: readonly StudyReport[];
  readonly candidates: readonly CandidateReport[];
}
