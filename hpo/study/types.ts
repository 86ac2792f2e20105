// The words of a study, with Optuna's meanings: distributions, trials, and what chooses parameters and ends trials early.

/** What JSON can hold; values of attributes. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A real number in [low, high]; with a step, low + k * step. */
export interface FloatDistribution {
  readonly kind: 'float';
  readonly low: number;
  readonly high: number;
  /** null = any number; always null with `log` */
  readonly step: number | null;
  readonly log: boolean;
}

/** A whole number in [low, high], low + k * step. */
export interface IntDistribution {
  readonly kind: 'int';
  readonly low: number;
  readonly high: number;
  /** 1 with `log` */
  readonly step: number;
  readonly log: boolean;
}

/** One of some choices; internally their index. */
export interface CategoricalDistribution {
  readonly kind: 'categorical';
  readonly choices: readonly (null | boolean | number | string)[];
}

/** What a parameter may be. */
export type Distribution = FloatDistribution | IntDistribution | CategoricalDistribution;

/** A parameter's value as the objective sees it. */
export type ParamValue = null | boolean | number | string;

/** As they are stored. */
export type TrialState = 'RUNNING' | 'COMPLETE' | 'PRUNED' | 'FAIL' | 'WAITING';
/** Of an objective; in Optuna's words. */
export type Direction = 'MINIMIZE' | 'MAXIMIZE';

/** A parameter of a trial. */
export interface TrialParam {
  /** internal: the number itself, or the index of a choice */
  readonly value: number;
  readonly distribution: Distribution;
}

/** A trial as it stands; one that is finished never changes again. */
export interface FrozenTrial {
  /** unique in the storage */
  readonly id: number;
  /** place in the study, from 0 */
  readonly number: number;
  readonly state: TrialState;
  /** one for each direction; null = none. A pruned trial has its last report */
  readonly values: readonly number[] | null;
  /** in the order in which they were suggested */
  readonly params: ReadonlyMap<string, TrialParam>;
  /** step -> reported value, NaN included */
  readonly reports: ReadonlyMap<number, number>;
  readonly userAttributes: ReadonlyMap<string, Json>;
  readonly systemAttributes: ReadonlyMap<string, Json>;
  /** Unix ms; null before it ran */
  readonly startedAt: number | null;
  readonly completedAt: number | null;
}

/** What samplers and pruners see of a study: one moment of it. */
export interface StudySnapshot {
  readonly name: string;
  readonly directions: readonly Direction[];
  /** all trials by number, running ones included */
  readonly trials: readonly FrozenTrial[];
}

/** Chooses parameters. It keeps no state but that of its generator: the trials decide. */
export interface Sampler {
  /**
   * Parameters that are chosen together, before the objective asks for any: internal values by name, with the
   * distributions they were drawn from. Empty = none.
   */
  relative(study: StudySnapshot, trial: FrozenTrial): ReadonlyMap<string, TrialParam>;
  /** One parameter that `relative` did not choose: its internal value. */
  independent(
    study: StudySnapshot,
    trial: FrozenTrial,
    name: string,
    distribution: Distribution,
  ): number;
  /**
   * System attributes to store with the trial once `relative` has answered and before `independent` is asked, which finds
   * them in the trial: `grid_id`, or for other workers `tpe:relative_params:0`. Absent = none.
   */
  remember?(
    study: StudySnapshot,
    trial: FrozenTrial,
    relative: ReadonlyMap<string, TrialParam>,
  ): ReadonlyMap<string, Json>;
  /** Whether there is nothing left to try: the study may end. Asked before a trial begins; absent = never. */
  isExhausted?(study: StudySnapshot): boolean;
}

/** What a pruner decides, and what it wants remembered of the trial. */
export interface PruneDecision {
  readonly prune: boolean;
  /** system attributes to store with the trial, such as `completed_rung_0` */
  readonly remember: ReadonlyMap<string, Json>;
}

/** Ends trials that promise little, from their reports. */
export interface Pruner {
  /** Asked after each report of the running trial. */
  decide(study: StudySnapshot, trial: FrozenTrial): PruneDecision;
  /** The trials that a sampler may learn from for this trial: a bracket of hyperband; null = all. */
  peers(study: StudySnapshot, trial: FrozenTrial): readonly FrozenTrial[] | null;
}
