// A run of a search: asks for trials, has them evaluated in processes, records them, and asks again.

import { resolve } from 'node:path';
import { SluiceError } from '../../core/index.ts';
import { type Journal, openJournal } from '../journal/index.ts';
import {
  bestTrial,
  createStudy,
  type FrozenTrial,
  isFinished,
  type Study,
  type StudySnapshot,
  type Trial,
  toExternal,
} from '../study/index.ts';
import { createDispatcher, type Dispatcher } from './dispatch.ts';
import { createFarm, type Farm } from './farm.ts';
import { fixedPruner, fixedSampler } from './fixedView.ts';
import type { Answer } from './messages.ts';
import type { RunOptions, RunResult, StopSignals } from './options.ts';
import { failure, readOutcome } from './outcome.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { recover } from './recover.ts';
import { type Settings, settingsOf } from './settings.ts';
import { createStopSwitch } from './stopSwitch.ts';
import type { TrialOrder, TrialOutcome } from './types.ts';

/**
 * Runs a study until it has its trials. A finished trial is in the storage and flushed to the journal before its process
 * gets the next one; a run that was killed at any moment goes on when it is called again, loses no finished trial and runs
 * none of them twice. A process that crashes costs its trial, which is FAIL, and no other.
 * @throws SluiceError `config_invalid`; `input_missing` (module); `input_invalid` (the module cannot be used, or the journal
 *   is not of this study); `database_busy` while another run has the journal; whatever storage and journal throw
 */
export async function runStudy(options: RunOptions): Promise<RunResult> {
  const settings = settingsOf(options);
  const journal = openJournal(options.journal, options.study.name);
  try {
    const study = await openStudy(options, settings);
    const { storage, clock, leaseMs = null } = options.study;
    const isOurs = leaseMs === null;
    const { reclaimed } = await recover(storage, study.id, journal, clock(), isOurs);
    return { ...(await runTrials(options, settings, study, journal)), reclaimed };
  } finally {
    journal.close();
  }
}

function openStudy({ study }: RunOptions, { window }: Settings): Promise<Study> {
  if (window === null) return createStudy({ ...study, loadIfExists: true });
  const { sampler, pruner = null } = study;
  return createStudy({
    ...study,
    loadIfExists: true,
    sampler: fixedSampler(sampler, window),
    pruner: pruner && fixedPruner(pruner, window),
  });
}

async function runTrials(
  options: RunOptions,
  settings: Settings,
  study: Study,
  journal: Journal,
): Promise<Omit<RunResult, 'reclaimed'>> {
  const { space, trials } = options;
  const stop = options.stop ?? createStopSwitch();
  const fault = new AbortController();
  const halt = AbortSignal.any([stop.now, fault.signal]);
  const { sampler } = options.study;
  const dispatcher = createDispatcher({
    ...{ study, sampler, space, trials },
    ...{ batch: settings.batch, window: settings.window },
    stop: AbortSignal.any([stop.finish, halt]),
  });
  const farm = createFarm({
    module: resolve(options.module),
    isBatch: settings.batch > 1,
    workers: settings.threads.length,
    timeoutMs: settings.timeoutMs,
    onReport: (number, step, value) => weigh(dispatcher.running.get(number), step, value),
  });
  const recorder = createRecorder(study, journal);
  const teller = createTeller(options, dispatcher, await study.snapshot());
  const run: Run = { options, dispatcher, recorder, farm, halt, tell: teller.tell };
  const stopBeating = beat(study);
  try {
    await settled(
      settings.threads.map((threads) => runLane(run, threads)),
      fault,
    );
  } finally {
    stopBeating();
    await (halt.aborted ? farm.kill() : farm.end());
  }
  const { trials: all } = await study.snapshot();
  return {
    ended: howEnded(stop, dispatcher, all, trials),
    finishedHere: teller.count(),
    trials: all,
  };
}

/** What the lanes of a run share. */
interface Run {
  readonly options: RunOptions;
  readonly dispatcher: Dispatcher;
  readonly recorder: Recorder;
  readonly farm: Farm;
  /** fires when processes are killed: at the second stop, and at a fault of the run */
  readonly halt: AbortSignal;
  readonly tell: (trial: FrozenTrial) => void;
}

/** Keeps one process busy until there is nothing more to run. */
async function runLane(run: Run, threads: number): Promise<void> {
  const { dispatcher, recorder, farm, halt, tell } = run;
  const halted = whenAborted(halt);
  for (;;) {
    const trials = await dispatcher.next();
    if (trials === null) return;
    const orders = trials.map((trial) => orderOf(run.options, trial, threads));
    const answer = await Promise.race([farm.evaluate(orders), halted]);
    // killed on the way: they stay RUNNING, and the next run takes them up
    if (answer === null || (halt.aborted && answer.kind !== 'found')) return;
    const outcomes = outcomesOf(answer, trials.length, run.options.module);
    const told = await Promise.all(trials.map((trial, i) => recorder.record(trial, outcomes[i]!)));
    dispatcher.ended(trials);
    for (const trial of told) if (trial !== null) tell(trial);
  }
}

function orderOf({ study, task }: RunOptions, trial: Trial, threads: number): TrialOrder {
  const params = [...trial.frozen().params].map(([name, { distribution, value }]) => [
    name,
    toExternal(distribution, value),
  ]);
  const { number } = trial;
  return { studyName: study.name, number, params: Object.fromEntries(params), task, threads };
}

/** One outcome for each trial. @throws SluiceError `input_invalid` if the module cannot be used */
function outcomesOf(answer: Answer, count: number, module: string): readonly TrialOutcome[] {
  const same = (outcome: TrialOutcome) => Array.from({ length: count }, () => outcome);
  if (answer.kind === 'unusable') {
    throw new SluiceError('input_invalid', `${module} evaluates no trial: ${answer.reason}.`);
  }
  if (answer.kind === 'failed') return same(failure(answer.reason));
  const found: unknown = answer.outcomes;
  return Array.isArray(found) && found.length === count
    ? found.map(readOutcome)
    : same(failure(`its batch must give ${count} outcomes, one for each trial`));
}

/**
 * Puts a report into its trial.
 * @returns whether the trial should give up; so it should if it is no longer ours
 * @throws SluiceError `out_of_range` (step)
 */
async function weigh(trial: Trial | undefined, step: number, value: number): Promise<boolean> {
  if (trial === undefined) return true;
  trial.report(value, step);
  // a storage that fails ends no trial here: its end meets it again, and tells
  return trial.shouldPrune().catch(() => false);
}

/** Tells progress, and counts what this run finished. */
function createTeller(
  { onProgress, trials: wanted }: RunOptions,
  dispatcher: Dispatcher,
  before: StudySnapshot,
) {
  const known = before.trials.filter(({ state }) => isFinished(state)).length;
  const isSingle = before.directions.length === 1;
  let best = isSingle ? bestTrial(before) : null;
  let count = 0;
  return {
    count: () => count,
    tell(trial: FrozenTrial): void {
      count += 1;
      const two = best === null ? [trial] : [best, trial];
      if (isSingle) best = bestTrial({ ...before, trials: two });
      const { size: running } = dispatcher.running;
      onProgress?.({ trial, best, finished: known + count, trials: wanted, running });
    },
  };
}

function howEnded(
  stop: StopSignals,
  { isExhausted }: Dispatcher,
  trials: readonly FrozenTrial[],
  wanted: number,
): RunResult['ended'] {
  if (stop.now.aborted) return 'aborted';
  const finished = trials.filter(({ state }) => isFinished(state)).length;
  if (finished >= wanted) return 'done';
  return isExhausted() ? 'exhausted' : stop.finish.aborted ? 'stopped' : 'done';
}

/** Waits for all; the first that fails stops the others. @throws what it threw */
async function settled(lanes: readonly Promise<void>[], fault: AbortController): Promise<void> {
  const watched = lanes.map((lane) =>
    lane.catch((error: unknown) => {
      fault.abort(error);
    }),
  );
  await Promise.all(watched);
  if (fault.signal.aborted) throw fault.signal.reason;
}

/** null once a signal fires. */
function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

/** Three heartbeats in a lease, so that one may be late. @returns stops them */
function beat(study: Study): () => void {
  if (study.leaseMs === null) return () => {};
  // a heartbeat that fails is missed; a storage that stays away is told by the next ask or tell
  const timer = setInterval(() => study.heartbeat().catch(() => {}), study.leaseMs / 3);
  return () => clearInterval(timer);
}
