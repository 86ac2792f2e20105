// How many trials that do nothing end in a second: ours with 16 processes into one SQLite file, each flushed to the journal;
// Optuna's with 16 processes into one SQLite file.

import { join } from 'node:path';
import { askOptuna } from './optuna.ts';
import { inFolder, medianOf, search, seconds } from './searches.ts';

const workers = 16;
/** until every process has started */
const warmUp = 1000;
const wanted = 1000;

/** Measures both, in turns; rates after all processes have started. */
export async function measureThroughput(trials: number, theirTrials: number, repeats: number) {
  const ours: number[] = [];
  const theirs: number[] = [];
  let [ourLockErrors, lockErrors] = [0, 0];
  for (let i = 0; i < repeats; i += 1) {
    const rate = await ourRate(trials);
    if (rate === null) ourLockErrors += 1;
    else ours.push(rate);
    const peer = await inFolder(async (folder) =>
      askOptuna('throughput', join(folder, 'study.db'), workers, theirTrials),
    );
    if (peer === null) continue;
    theirs.push(Number(peer.trials_per_s));
    lockErrors += Number(peer.lock_errors);
  }
  const median = ours.length === 0 ? 0 : medianOf(ours);
  const isMet = median >= wanted && ourLockErrors === 0;
  return {
    workers,
    trials,
    // the parent alone writes: one lock error would end its run, and is one
    ours: { trials_per_s: ours, median, lock_errors: ourLockErrors, wanted, is_met: isMet },
    optuna:
      theirs.length === 0
        ? 'PEER_PYTHON is not set'
        : { trials_per_s: theirs, median: medianOf(theirs), lock_errors: lockErrors },
  };
}

/** @returns null: the database was locked for longer than the storage waits */
async function ourRate(trials: number): Promise<number | null> {
  let begin = 0;
  let end = 0;
  try {
    await search({ trials: warmUp + trials, workers, steps: 0 }, ({ finished }) => {
      if (finished === warmUp) begin = seconds();
      end = seconds();
    });
  } catch (error) {
    if (/locked|busy/.test(String(error))) return null;
    throw error;
  }
  return trials / (end - begin);
}
