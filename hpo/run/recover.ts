// What the last run left, brought in order: journal and storage hold the same finished trials, and trials that nobody runs
// any more wait for their turn. A run writes a finished trial to the storage first (the storage decides whether it counts),
// then to the journal, which outlives a loss of power that takes the storage's last commits.

import { SluiceError } from '../../core/index.ts';
import type { Journal } from '../journal/index.ts';
import {
  type FrozenTrial,
  isFinished,
  type Storage,
  type TrialEnd,
  unstarted,
} from '../study/index.ts';

/** What was found. */
export interface Recovered {
  /** running trials that wait again */
  readonly reclaimed: number;
}

/**
 * Brings a study and its journal in order.
 * @param isOurs whether nobody else may be running trials of this study
 * @throws SluiceError `input_invalid`: the journal is of another study of this name
 */
export async function recover(
  storage: Storage,
  studyId: number,
  journal: Journal,
  now: number,
  isOurs: boolean,
): Promise<Recovered> {
  const read = () => storage.readTrials(studyId, -1, []);
  needSame(await read(), journal.trials);
  await addMissing(storage, studyId, await read(), journal.trials);
  const claimed = await finishOpen(storage, studyId, await read(), journal.trials, now);
  const trials = await read();
  const known = new Set(journal.trials.map(({ number }) => number));
  journal.append(trials.filter(({ state, number }) => isFinished(state) && !known.has(number)));
  const left = trials.filter(
    ({ state, number }) => state === 'RUNNING' && (isOurs || claimed.has(number)),
  );
  return { reclaimed: await takeBack(storage, studyId, left, now) };
}

function needSame(stored: readonly FrozenTrial[], journal: readonly FrozenTrial[]): void {
  const other = journal.find(({ number, state, values }) => {
    const trial = stored[number];
    return (
      trial !== undefined &&
      isFinished(trial.state) &&
      (trial.state !== state || String(trial.values) !== String(values))
    );
  });
  if (other === undefined) return;
  throw new SluiceError(
    'input_invalid',
    `The journal's trial ${other.number} ended in another way than the storage's: they are of two studies with one name. Name the study's own journal, or move it away.`,
    { number: other.number },
  );
}

/** Adds what only the journal has; a number that neither has finished waits to be run. */
async function addMissing(
  storage: Storage,
  studyId: number,
  stored: readonly FrozenTrial[],
  journal: readonly FrozenTrial[],
): Promise<void> {
  const byNumber = new Map(journal.map((trial) => [trial.number, trial]));
  const count = journal.reduce((most, { number }) => Math.max(most, number + 1), stored.length);
  for (let number = stored.length; number < count; number += 1) {
    await storage.addTrial(studyId, byNumber.get(number) ?? unstarted);
  }
}

/**
 * Ends trials that the journal says have ended. A waiting one must be claimed first, and with it those before it.
 * @returns numbers that were claimed on the way and run nowhere
 */
async function finishOpen(
  storage: Storage,
  studyId: number,
  stored: readonly FrozenTrial[],
  journal: readonly FrozenTrial[],
  now: number,
): Promise<ReadonlySet<number>> {
  const claimed = new Set<number>();
  const current = new Map(stored.map((trial) => [trial.number, trial]));
  for (const ended of journal) {
    if (isFinished(current.get(ended.number)!.state)) continue;
    while (current.get(ended.number)!.state === 'WAITING') {
      const trial = await storage.ask(studyId, now, null);
      current.set(trial.number, trial);
      claimed.add(trial.number);
    }
    const end: TrialEnd = {
      state: ended.state as TrialEnd['state'],
      values: ended.values,
      completedAt: ended.completedAt ?? now,
    };
    await storage.finish(current.get(ended.number)!, ended, end);
    claimed.delete(ended.number);
  }
  return claimed;
}

/** Lets trials wait again under their numbers: the storage takes back those whose last heartbeat is as old as can be. */
async function takeBack(
  storage: Storage,
  studyId: number,
  trials: readonly FrozenTrial[],
  now: number,
): Promise<number> {
  if (trials.length === 0) return 0;
  const ids = trials.map(({ id }) => id);
  await storage.heartbeat(ids, 0);
  const lease = { staleBefore: 1, maxRetries: Number.MAX_SAFE_INTEGER };
  return (await storage.reclaim(studyId, now, lease)).length;
}
