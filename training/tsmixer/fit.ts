// Trains TSMixers: epochs, early stopping with the best state restored, progress, stop and resume. The arithmetic is an
// engine's; what is here is the same for each of them.

import { asSluiceError, SluiceError } from '../../core/index.ts';
import type { RunRecord } from './checkpoint.ts';
import { openCheckpoint, type RunKeeper } from './checkpointedRun.ts';
import type { EngineSession, EngineStats, EngineWatch, TsmixerEngine } from './engine.ts';
import { initialWeights } from './initialWeights.ts';
import { afterEpoch, newMemberRun } from './memberRun.ts';
import { type Meter, startMeter } from './meter.ts';
import { checkRequest } from './requestCheck.ts';
import { learningRateFactors } from './schedule.ts';
import { freshState, parametersOf } from './state.ts';
import { foldScale, scaleSamples, targetScale } from './targetScale.ts';
import type { TsmixerFit, TsmixerRequest, TsmixerTraining } from './types.ts';

/**
 * Trains the members of a request side by side; each goes the way that it would go alone. Targets of a flat head are
 * standardised by the training samples, and the weights given back are in label units. The arrays of the request must
 * not change until the promise settles.
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite` (bad input, or a loss that is no number any more:
 * the message names epoch, step and member) | `cancelled` | `native_failed` | `tool_missing`; `input_invalid` for a
 * checkpoint that is none, or of another training
 */
export async function fitTsmixer(
  engine: TsmixerEngine,
  request: TsmixerRequest,
): Promise<readonly TsmixerFit[]> {
  checkRequest(request);
  const { training, train } = request;
  const { shape } = training;
  const scale = targetScale(shape, request.samples, train);
  const keeper = openCheckpoint(engine, request, scale);
  const session = engine.open({ ...training, samples: scaleSamples(request.samples, scale) });
  try {
    const { members } = await trainAll(session, request, keeper);
    request.progress.update('tsmixer', 1);
    return members.map(({ best, bestEpoch, history }) => ({
      weights: foldScale({ shape, values: best! }, scale),
      bestEpoch,
      history,
    }));
  } finally {
    session.close();
    keeper.close();
  }
}

/**
 * Steps between two records of a run: enough for a call to be worth its checks, which look at every sample. They end at
 * the same steps whether or not a run was stopped between them, so that sums over an epoch have the same parts.
 */
const stepsPerCall = (epochSteps: number): number => Math.max(1024, Math.ceil(epochSteps / 16));

async function trainAll(
  session: EngineSession,
  request: TsmixerRequest,
  keeper: RunKeeper,
): Promise<RunRecord> {
  const { training, train } = request;
  const epochSteps = Math.ceil(train.length / training.batch);
  let run = keeper.found ?? newRun(training);
  run.states.forEach((state, member) => {
    session.writeState(member, state);
  });
  const { epochs } = training;
  const schedule = learningRateFactors(training, epochs * epochSteps);
  const meter = startMeter(request.progress, { epochs, epochSteps, first: run.step });
  const work: Work = { session, request, epochSteps, schedule, meter };
  while (run.epochs < epochs && run.members.some(({ active }) => active)) {
    const trained = run.step === (run.epochs + 1) * epochSteps;
    const next = await (trained ? endEpoch(work, run) : trainSome(work, run));
    run = keeper.wanted ? { ...next, states: statesOf(session, training) } : next;
    keeper.keep(run);
  }
  return run;
}

/** Where all members begin. */
function newRun({ shape, members }: TsmixerTraining): RunRecord {
  return {
    epochs: 0,
    step: 0,
    lossSums: members.map(() => 0),
    members: members.map(() => newMemberRun),
    states: members.map(({ seed }) => freshState(initialWeights(shape, seed).values)),
  };
}

const statesOf = (session: EngineSession, { members }: TsmixerTraining): Uint8Array[] =>
  members.map((_, member) => session.readState(member));

interface Work {
  readonly session: EngineSession;
  readonly request: TsmixerRequest;
  readonly epochSteps: number;
  readonly schedule: Float32Array;
  readonly meter: Meter;
}

/** One call of the engine: the next steps of the epoch, for all members that still train. */
async function trainSome(work: Work, run: RunRecord): Promise<RunRecord> {
  const { session, request, epochSteps, schedule } = work;
  const epochStart = run.epochs * epochSteps;
  const done = run.step - epochStart;
  const toStep = epochStart + Math.min(epochSteps, done + stepsPerCall(epochSteps));
  const active = Uint8Array.from(run.members, (member) => (member.active ? 1 : 0));
  const order = { train: request.train, schedule, toStep, active };
  const stats = await named(work, run, () => session.train(order, watchOf(work, run)));
  checkLosses(work, run, stats);
  const lossSums = run.lossSums.map((sum, k) =>
    active[k] === 1 ? sum + stats[k]!.loss * stats[k]!.samples : 0,
  );
  return { ...run, step: toStep, lossSums };
}

/** Closes an epoch: stopping losses, best states, and who goes on. */
async function endEpoch(work: Work, run: RunRecord): Promise<RunRecord> {
  const { session, request } = work;
  const { train, stop, training } = request;
  const stats =
    stop.length === 0
      ? null
      : await named(work, run, () => session.evaluate(stop, watchOf(work, run)));
  if (stats !== null) checkLosses(work, run, stats);
  const members = run.members.map((member, k) => {
    if (!member.active) return member;
    const losses = {
      train: run.lossSums[k]! / train.length,
      stop: stats === null ? null : stats[k]!.loss,
    };
    return afterEpoch(member, losses, training.patience, () => parametersOf(session.readState(k)));
  });
  return { ...run, epochs: run.epochs + 1, lossSums: members.map(() => 0), members };
}

function watchOf({ request, meter, epochSteps }: Work, run: RunRecord): EngineWatch {
  const lasting = run.members.filter(({ active }) => active);
  const last = lasting.flatMap(({ history }) => history.slice(-1));
  const loss = last.length === 0 ? null : Math.min(...last.map(({ train, stop }) => stop ?? train));
  const epoch = run.epochs + 1;
  const onSteps = (steps: number) => {
    const each = Math.min(run.step + steps / lasting.length, epoch * epochSteps); // an evaluation counts none
    meter.update(epoch, each, loss);
  };
  onSteps(0);
  return { signal: request.signal, onSteps };
}

/** Says in which epoch an engine failed. */
async function named<T>(work: Work, run: RunRecord, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    const error = asSluiceError(thrown);
    if (error.code === 'cancelled')
      throw new SluiceError(
        'cancelled',
        `Training stopped in epoch ${run.epochs + 1} of ${work.request.training.epochs}, on request.`,
        error.context,
      );
    if (error.code !== 'non_finite') throw error;
    const { step, member } = error.context as { step?: number; member?: number };
    throw diverged(work, run, member ?? 0, step ?? run.step);
  }
}

/** An active member's loss must stay a number. */
function checkLosses(work: Work, run: RunRecord, stats: readonly EngineStats[]): void {
  const member = stats.findIndex(({ loss }, k) => run.members[k]!.active && !Number.isFinite(loss));
  if (member >= 0) throw diverged(work, run, member, stats[member]!.step);
}

function diverged(
  { request }: Work,
  { epochs }: RunRecord,
  member: number,
  step: number,
): SluiceError {
  const epoch = epochs + 1;
  return new SluiceError(
    'non_finite',
    `The training of member ${member} (of ${request.training.members.length}, counted from 0) left the range of numbers in epoch ${epoch}, at step ${step}; use a smaller learning rate or clip the gradient.`,
    { epoch, step, member },
  );
}
