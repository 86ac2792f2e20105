// The end of a trial: first in the storage, which decides whether it counts, then on the disk in the journal. Trials that
// end in the same turn of the event loop share one flush of the disk.

import { SluiceError } from '../../core/index.ts';
import type { Journal } from '../journal/index.ts';
import type { FrozenTrial, Study, Trial } from '../study/index.ts';
import { applyOutcome } from './outcome.ts';
import type { TrialOutcome } from './types.ts';

/** Records ends of trials. */
export interface Recorder {
  /** @returns the trial once it is recorded; null if another worker took it back meanwhile, and it does not count */
  record(trial: Trial, outcome: TrialOutcome): Promise<FrozenTrial | null>;
}

/** A recorder for a study and its journal. */
export function createRecorder(study: Study, journal: Journal): Recorder {
  let pending: FrozenTrial[] = [];
  let flushed: Promise<void> | null = null;

  const flushSoon = (): Promise<void> => {
    flushed ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        const trials = pending;
        pending = [];
        flushed = null;
        try {
          journal.append(trials);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return flushed;
  };
  return {
    async record(trial, outcome) {
      const { end, reason } = applyOutcome(trial, outcome);
      let told: FrozenTrial;
      try {
        told = await study.tell(trial, end, reason);
      } catch (error) {
        if (error instanceof SluiceError && error.code === 'database_refused') return null;
        throw error;
      }
      pending.push(told);
      await flushSoon();
      return told;
    },
  };
}
