// A study: asks for trials, tells their ends, and shows what is known so far.

import { type Clock, SluiceError } from '../../core/index.ts';
import { toExternal } from './distribution.ts';
import { judge, type Outcome } from './outcome.ts';
import type { Lineage, Storage, StoredStudy } from './storage.ts';
import { createTrial, type RunningTrial, type Trial, type TrialSurroundings } from './trial.ts';
import { createTrialCache, type TrialCache } from './trialCache.ts';
import type {
  Direction,
  Distribution,
  FrozenTrial,
  Json,
  ParamValue,
  Pruner,
  Sampler,
  StudySnapshot,
} from './types.ts';
import { unstarted } from './unstarted.ts';

/** What a study is made of. */
export interface StudyOptions {
  readonly storage: Storage;
  readonly name: string;
  readonly sampler: Sampler;
  /** null: trials are never pruned */
  readonly pruner?: Pruner | null | undefined;
  readonly clock: Clock;
  /**
   * How long a running trial may be silent before another worker takes it back; null: for ever. The worker calls
   * `heartbeat` a few times in that time (`optimize` does). All machines must agree on the time to a fraction of it.
   */
  readonly leaseMs?: number | null | undefined;
  /** how often a trial that was taken back is run again, under its number; then it is FAIL. 0 = at once, as Optuna does */
  readonly maxRetries?: number | undefined;
}

/** A new study has directions too. */
export interface NewStudyOptions extends StudyOptions {
  readonly directions: readonly Direction[];
  /** go on with the study of that name if there is one: its directions must be these */
  readonly loadIfExists?: boolean | undefined;
  readonly lineage?: Lineage | undefined;
}

/** What a waiting trial brings along. */
export interface EnqueueOptions {
  readonly userAttributes?: Readonly<Record<string, Json>> | undefined;
  /** do nothing if a trial has these parameters already */
  readonly skipIfExists?: boolean | undefined;
  /**
   * One of `userAttributes`: do nothing if any trial of the study has it with this value. The storage decides, so of many
   * processes that enqueue it at once, one does; `skipIfExists` looks first and then enqueues, as Optuna does.
   */
  readonly once?: string | undefined;
}

/** A study of a storage, as one process sees it. */
export interface Study {
  readonly id: number;
  readonly name: string;
  readonly directions: readonly Direction[];
  readonly leaseMs: number | null;
  /**
   * A trial to run: one that waits, else a new one.
   * @param space parameters to choose at once, for a worker elsewhere
   */
  ask(space?: Readonly<Record<string, Distribution>>): Promise<Trial>;
  /**
   * Ends a trial; a number ends one that another process asked for.
   * @returns the trial as stored
   * @throws SluiceError `database_refused` if it does not run, or was taken back from this worker
   */
  tell(trial: Trial | number, outcome: Outcome, reason?: string): Promise<FrozenTrial>;
  /** Lets a trial wait with these parameters for the next `ask`. @returns null: skipped */
  enqueue(
    params: Readonly<Record<string, ParamValue>>,
    options?: EnqueueOptions,
  ): Promise<FrozenTrial | null>;
  /** Reads the storage: the study at this moment. */
  snapshot(): Promise<StudySnapshot>;
  /** Whether no trial waits and the sampler has nothing left to try beside what runs now. */
  isExhausted(): Promise<boolean>;
  /** Tells that the trials that this process asked for still run. */
  heartbeat(): Promise<void>;
  /**
   * Takes back what other workers left.
   * @param silentMs how long they must have been silent; 0 = whoever runs, where no other worker can be alive
   * @returns numbers of trials
   */
  reclaim(silentMs?: number): Promise<readonly number[]>;
}

/**
 * Makes a study.
 * @throws SluiceError `database_refused` if it exists, or exists with other directions or another lineage |
 *   `out_of_range` (no directions, no name)
 */
export async function createStudy(options: NewStudyOptions): Promise<Study> {
  const { storage, name, directions, loadIfExists = false, lineage } = options;
  if (directions.length === 0 || name === '') {
    throw new SluiceError('out_of_range', 'A study needs a name and at least one direction.');
  }
  const stored =
    (loadIfExists ? await findOrCreate(storage, name, directions) : null) ??
    (await storage.createStudy(name, directions));
  if (stored.directions.join() !== directions.join()) {
    throw new SluiceError(
      'database_refused',
      `Study ${name} has the directions ${stored.directions.join(', ')}, not ${directions.join(', ')}; load it with those or take another name.`,
      { name, directions: stored.directions },
    );
  }
  if (lineage !== undefined) await storage.setLineage(stored.id, lineage);
  return open(stored, options);
}

/** Workers that start at once may each find none; one of them makes it. */
async function findOrCreate(
  storage: Storage,
  name: string,
  directions: readonly Direction[],
): Promise<StoredStudy> {
  const found = await storage.findStudy(name);
  if (found !== null) return found;
  try {
    return await storage.createStudy(name, directions);
  } catch (error) {
    const made = await storage.findStudy(name);
    if (made !== null) return made;
    throw error;
  }
}

/** Goes on with a study. @throws SluiceError `input_missing` */
export async function loadStudy(options: StudyOptions): Promise<Study> {
  const stored = await options.storage.findStudy(options.name);
  if (stored !== null) return open(stored, options);
  const names = (await options.storage.listStudies()).map((study) => study.name);
  throw new SluiceError(
    'input_missing',
    `The storage has no study ${options.name}; it has ${names.join(', ') || 'none'}.`,
    { name: options.name, names },
  );
}

function open(stored: StoredStudy, options: StudyOptions): Study {
  const { storage, sampler, pruner = null, clock, leaseMs = null, maxRetries = 0 } = options;
  const { id, name, directions } = stored;
  const cache = createTrialCache(storage, id);
  const running = new Map<number, RunningTrial>();
  const snapshot = (): StudySnapshot => ({ name, directions, trials: overlaid(cache, running) });
  const surroundings: TrialSurroundings = {
    storage,
    sampler,
    pruner,
    directions,
    snapshot,
    refresh: cache.refresh,
    distribution: cache.distribution,
  };
  const lease = (silentMs = leaseMs) =>
    silentMs === null ? null : { staleBefore: clock() - silentMs, maxRetries };

  return {
    id,
    name,
    directions,
    leaseMs,
    ask: async (space = {}) => {
      const trial = createTrial(await storage.ask(id, clock(), lease()), surroundings);
      try {
        await cache.refresh();
        running.set(trial.number, trial);
        for (const [param, distribution] of Object.entries(space)) {
          trial.suggest(param, distribution);
        }
        return trial;
      } catch (error) {
        await conclude(trial, 'FAIL', String(error)).catch(() => {});
        throw error;
      }
    },
    tell: async (told, outcome, reason) => {
      if (typeof told !== 'number') return conclude(told as RunningTrial, outcome, reason);
      const trial =
        running.get(told) ?? createTrial(await findRunning(cache, name, told), surroundings);
      return conclude(trial, outcome, reason);
    },
    enqueue: async (params, { userAttributes = {}, skipIfExists = false, once } = {}) => {
      await cache.refresh();
      if (skipIfExists && cache.trials().some((trial) => hasParams(trial, params))) return null;
      const draft = {
        ...unstarted,
        userAttributes: new Map(Object.entries(userAttributes)),
        systemAttributes: new Map([['fixed_params', params]]),
      };
      return once === undefined
        ? storage.addTrial(id, draft)
        : storage.addTrialOnce(id, draft, once);
    },
    snapshot: async () => {
      await cache.refresh();
      return snapshot();
    },
    isExhausted: async () => {
      if (sampler.isExhausted === undefined) return false;
      await cache.refresh();
      const trials = snapshot().trials;
      if (trials.some(({ state }) => state === 'WAITING')) return false;
      const asEnded = trials.map((trial) => ({ ...trial, state: 'COMPLETE' as const }));
      return sampler.isExhausted({ name, directions, trials: asEnded });
    },
    heartbeat: async () => {
      await cache.refresh();
      // a trial that another has by now must not live on by our heartbeat
      const held = [...running.values()].filter((trial) => runsHere(cache, trial));
      await storage.heartbeat(
        held.map((trial) => trial.id),
        clock(),
      );
    },
    reclaim: async (silentMs) => {
      const given = lease(silentMs);
      return given === null ? [] : storage.reclaim(id, clock(), given);
    },
  };

  /** A storage that fails leaves the trial running here, to be told again. */
  async function conclude(
    trial: RunningTrial,
    outcome: Outcome,
    given?: string,
  ): Promise<FrozenTrial> {
    const { end, reason } = judge(outcome, directions, trial.frozen(), clock());
    const why = reason ?? given;
    if (end.state === 'FAIL' && why !== undefined) trial.setSystemAttribute('fail_reason', why);
    const kept = await trial.finish(end);
    // the trial may have been taken back and asked for again, here too
    if (running.get(trial.number) === trial) running.delete(trial.number);
    if (!kept) throw notRunning(name, trial.number);
    return { ...trial.frozen(), ...end };
  }
}

/** The trials as read, those that run here as they stand here. */
function overlaid(
  cache: TrialCache,
  running: ReadonlyMap<number, RunningTrial>,
): readonly FrozenTrial[] {
  const trials = [...cache.trials()];
  for (const [number, trial] of running) {
    if (runsHere(cache, trial)) trials[number] = trial.frozen();
  }
  return trials;
}

/** Whether a trial, as last read, runs and was started by this worker. */
function runsHere(cache: TrialCache, trial: RunningTrial): boolean {
  const read = cache.trials()[trial.number];
  return read?.state === 'RUNNING' && read.startedAt === trial.claim.startedAt;
}

async function findRunning(cache: TrialCache, study: string, number: number): Promise<FrozenTrial> {
  await cache.refresh();
  const trial = cache.trials()[number];
  if (trial?.state === 'RUNNING') return trial;
  throw notRunning(study, number, trial?.state ?? 'missing');
}

const notRunning = (study: string, number: number, state = 'finished or taken back') =>
  new SluiceError(
    'database_refused',
    `Trial ${number} of ${study} cannot end here: it should be running, and is ${state}. Ask for another.`,
    { study, number, state, claimEnded: true },
  );

/** Whether a trial could not end because it was not, or no longer, this worker's to end. */
export const isClaimEnded = (error: unknown): boolean =>
  error instanceof SluiceError && error.context.claimEnded === true;

/** Whether a trial has or waits with these parameters and no others; numbers to 5 digits, as Optuna compares them. */
function hasParams(trial: FrozenTrial, params: Readonly<Record<string, ParamValue>>): boolean {
  const own =
    (trial.systemAttributes.get('fixed_params') as Record<string, ParamValue> | undefined) ??
    Object.fromEntries(
      [...trial.params].map(([name, { distribution, value }]) => [
        name,
        toExternal(distribution, value),
      ]),
    );
  const names = Object.keys(params);
  return (
    names.length === Object.keys(own).length &&
    names.every((name) => Object.hasOwn(own, name) && isClose(params[name]!, own[name]!))
  );
}

const isClose = (a: ParamValue, b: ParamValue): boolean =>
  typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) <= 1e-5 * Math.abs(b) : a === b;
