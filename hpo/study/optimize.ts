// The loop over ask and tell.

import type { Clock } from '../../core/index.ts';
import type { Outcome } from './outcome.ts';
import { isClaimEnded, type Study } from './study.ts';
import type { Trial } from './trial.ts';
import type { FrozenTrial } from './types.ts';

/** Tries parameters; return `'PRUNED'` after `shouldPrune` said so. */
export type Objective = (trial: Trial) => Outcome | Promise<Outcome>;

/** When to stop, and what to tell on the way. */
export interface OptimizeOptions {
  /** trials to run in this call */
  readonly trials: number;
  /** trials at a time in this process; they take turns at every await */
  readonly concurrency?: number | undefined;
  /** no trial starts after this time, Unix ms by `clock` */
  readonly until?: { readonly clock: Clock; readonly at: number } | undefined;
  /** once it fires no trial starts; those that run end in their own time */
  readonly signal?: AbortSignal | undefined;
  /** true: a trial whose objective throws is FAIL and the next one starts; false: it is FAIL and the loop throws */
  readonly catchErrors?: boolean | undefined;
  readonly onTrial?: ((trial: FrozenTrial) => void | Promise<void>) | undefined;
}

/**
 * Runs trials, until there are so many or the sampler has nothing left to try. A trial that was taken back from this
 * process meanwhile is left to who has it now.
 * @throws what an objective threw, once the other running trials have ended
 */
export async function optimize(
  study: Study,
  objective: Objective,
  options: OptimizeOptions,
): Promise<void> {
  const { trials, concurrency = 1, until, signal } = options;
  let started = 0;
  let broken = false;
  const more = () =>
    started < trials &&
    !broken &&
    signal?.aborted !== true &&
    (until === undefined || until.clock() < until.at);
  const begin = async (): Promise<Begun | null> => {
    if ((await study.isExhausted()) || !more()) return null;
    started += 1;
    const trial = await study.ask();
    return { trial, end: evaluate(objective, trial) };
  };
  // one after the other, each up to the first await of its objective: what a grid gives it is then known to the next
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = () => {
    const turn = last.then(begin);
    last = turn.catch(() => {});
    return turn;
  };
  const lane = async () => {
    try {
      for (let begun = await inTurn(); begun !== null; begun = await inTurn()) {
        await finish(study, begun, options);
      }
    } catch (error) {
      broken = true;
      throw error;
    }
  };
  const stopBeating = beat(study);
  try {
    const lanes = await Promise.allSettled(Array.from({ length: concurrency }, lane));
    const failed = lanes.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } finally {
    stopBeating();
  }
}

interface Begun {
  readonly trial: Trial;
  readonly end: Promise<Evaluated>;
}

interface Evaluated {
  readonly outcome: Outcome;
  readonly thrown?: { readonly error: unknown };
}

async function evaluate(objective: Objective, trial: Trial): Promise<Evaluated> {
  try {
    return { outcome: await objective(trial) };
  } catch (error) {
    return { outcome: 'FAIL', thrown: { error } };
  }
}

async function finish(study: Study, { trial, end }: Begun, options: OptimizeOptions) {
  const { catchErrors = false, onTrial } = options;
  const { outcome, thrown } = await end;
  const told = await tellIfHeld(study, trial, outcome, thrown && reasonOf(thrown.error));
  if (told !== null) await onTrial?.(told);
  if (thrown !== undefined && !catchErrors) throw thrown.error;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : `${error}`);

async function tellIfHeld(study: Study, trial: Trial, outcome: Outcome, reason?: string) {
  try {
    return await study.tell(trial, outcome, reason);
  } catch (error) {
    if (isClaimEnded(error)) return null;
    throw error;
  }
}

/** Three heartbeats in a lease, so that one may be late. @returns stops them */
function beat(study: Study): () => void {
  if (study.leaseMs === null) return () => {};
  // a heartbeat that fails is missed; a storage that stays away is told by the next ask or tell
  const timer = setInterval(() => study.heartbeat().catch(() => {}), study.leaseMs / 3);
  return () => clearInterval(timer);
}
