// A run of a search: asks for trials, has them evaluated in processes, records them, and asks again.

import { resolve } from 'node:path';
import { type Journal, openJournal } from '../journal/index.ts';
import {
  createStudy,
  type FrozenTrial,
  isFinished,
  type Study,
  type Trial,
} from '../study/index.ts';
import { createDispatcher, type Dispatcher } from './dispatch.ts';
import { createFarm } from './farm.ts';
import { fixedPruner, fixedSampler } from './fixedView.ts';
import { type Run, runLane } from './lane.ts';
import type { RunOptions, RunResult, StopSignals } from './options.ts';
import { createRecorder } from './recorder.ts';
import { recover } from './recover.ts';
import { type Settings, settingsOf } from './settings.ts';
import { createStopSwitch } from './stopSwitch.ts';
import { createTeller } from './teller.ts';

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
  const dispatcher = createDispatcher({
    ...{ study, space, trials },
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

/** Three heartbeats in a lease, so that one may be late. @returns stops them */
function beat(study: Study): () => void {
  if (study.leaseMs === null) return () => {};
  // a heartbeat that fails is missed; a storage that stays away is told by the next ask or tell
  const timer = setInterval(() => study.heartbeat().catch(() => {}), study.leaseMs / 3);
  return () => clearInterval(timer);
}
