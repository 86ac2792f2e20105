// The turn of one process: trials are asked for, evaluated, recorded, told of, and asked for again.

import { SluiceError } from '../../core/index.ts';
import { type FrozenTrial, type Trial, toExternal } from '../study/index.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Farm } from './farm.ts';
import type { Answer } from './messages.ts';
import type { RunOptions } from './options.ts';
import { failure, readOutcome } from './outcome.ts';
import type { Recorder } from './recorder.ts';
import type { TrialOrder, TrialOutcome } from './types.ts';

/** What the lanes of a run share. */
export interface Run {
  readonly options: RunOptions;
  readonly dispatcher: Dispatcher;
  readonly recorder: Recorder;
  readonly farm: Farm;
  /** fires when processes are killed: at the second stop, and at a fault of the run */
  readonly halt: AbortSignal;
  readonly tell: (trial: FrozenTrial) => void;
}

/** Keeps one process busy until there is nothing more to run. */
export async function runLane(run: Run, threads: number): Promise<void> {
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

/** null once a signal fires. */
function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
