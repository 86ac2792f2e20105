// What a run of a search is asked for, and what it tells.

import type { Distribution, FrozenTrial, Json, NewStudyOptions } from '../study/index.ts';

/** A run. */
export interface RunOptions {
  /**
   * The study; made, or gone on with if it is there. Without a `leaseMs` it belongs to this run alone, and trials that still
   * run when it begins are those of a run that died: they run again under their numbers. With one, several machines may
   * work on it, and trials of a machine that died run again when its lease has ended, `maxRetries` times at most.
   */
  readonly study: NewStudyOptions;
  /** parameters of every trial */
  readonly space: Readonly<Record<string, Distribution>>;
  /** path of the journal, one for each study and machine */
  readonly journal: string;
  /** path of the module that exports `evaluate`, or `evaluateBatch` if `batch` is above 1 */
  readonly module: string;
  /** handed to every evaluation */
  readonly task: Json;
  /** trials that the study shall have, those of earlier runs included */
  readonly trials: number;
  /** processes; by default two cores are left to others, and one is used at least */
  readonly workers?: number | undefined;
  /** cores of this machine that the run may use; all by default */
  readonly cores?: number | undefined;
  /** native threads of one evaluation; by default the cores are shared out, none twice */
  readonly threadsPerTrial?: number | undefined;
  /** trials that one process evaluates at once; 1 */
  readonly batch?: number | undefined;
  /** an evaluation (of a whole batch) that takes longer is ended, and FAIL; null = none */
  readonly timeoutMs?: number | null | undefined;
  /**
   * Makes the study a function of its seed: trial n learns from the results of the trials 0 to n - window exactly, which the
   * run waits for, and sees those between as running, however far they are. The same for any number of workers, up to
   * `window` of which (by batches) find work, and for a run that was killed and resumed. Needs a sampler with `perTrial`
   * seeding, and no lease. null = every trial learns from all that is known when it starts.
   */
  readonly deterministic?: { readonly window: number } | null | undefined;
  readonly stop?: StopSignals | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** Two ways to stop. Neither loses a finished trial. */
export interface StopSignals {
  /** no trial starts; those that run end in their own time */
  readonly finish: AbortSignal;
  /** the processes are killed; trials that ran stay RUNNING and run again when the study is run again */
  readonly now: AbortSignal;
}

/** Told for every trial that ended. */
export interface RunProgress {
  readonly trial: FrozenTrial;
  /** the best so far, of a study with one direction */
  readonly best: FrozenTrial | null;
  /** finished trials of the study, by whomever */
  readonly finished: number;
  /** trials that the study shall have */
  readonly trials: number;
  /** that run in this run's processes */
  readonly running: number;
}

/** How a run ended. */
export interface RunResult {
  /** `exhausted`: the sampler has nothing left to try; `stopped` and `aborted`: by `stop.finish` and `stop.now` */
  readonly ended: 'done' | 'exhausted' | 'stopped' | 'aborted';
  /** of this run: trials that it finished */
  readonly finishedHere: number;
  /** of this run: trials of earlier ones that it took back, to run again */
  readonly reclaimed: number;
  /** all of the study, by number */
  readonly trials: readonly FrozenTrial[];
}
