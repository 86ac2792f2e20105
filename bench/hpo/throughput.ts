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
  let lockErrors = 0;
  for (let i = 0; i < repeats; i += 1) {
    ours.push(await ourRate(trials));
    const peer = await inFolder(async (folder) =>
      askOptuna('throughput', join(folder, 'study.db'), workers, theirTrials),
    );
    if (peer === null) continue;
    theirs.push(Number(peer.trials_per_s));
    lockErrors += Number(peer.lock_errors);
  }
  const median = medianOf(ours);
  return {
    workers,
    trials,
    // a lock error would have ended the run
    ours: { trials_per_s: ours, median, lock_errors: 0, wanted, is_met: median >= wanted },
    optuna:
      theirs.length === 0
        ? 'PEER_PYTHON is not set'
        : { trials_per_s: theirs, median: medianOf(theirs), lock_errors: lockErrors },
  };
}

async function ourRate(trials: number): Promise<number> {
  let begin = 0;
  let end = 0;
  await search({ trials: warmUp + trials, workers, steps: 0 }, ({ finished }) => {
    if (finished === warmUp) begin = seconds();
    end = seconds();
  });
  return trials / (end - begin);
}
