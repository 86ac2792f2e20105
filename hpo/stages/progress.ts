// A running search in one line: stage, share done, best value, trials per second.

import type { CommandIo } from '../../core/index.ts';
import type { RunProgress } from '../run/index.ts';
import { type StageName, stageNames } from './plan.ts';

/** Gives what {@link runSearch} tells to the progress of a command. */
export function searchProgress({
  progress,
  clock,
}: Pick<CommandIo, 'progress' | 'clock'>): (stage: StageName, told: RunProgress) => void {
  let current: StageName | null = null;
  let [beganMs, ended] = [0, 0];
  return (stage, { best, finished, trials, trial }) => {
    if (stage !== current) {
      current = stage;
      beganMs = trial.startedAt ?? clock();
      ended = 0;
    }
    ended += 1;
    const seconds = (clock() - beganMs) / 1000;
    const rate = seconds > 0 ? `${(ended / seconds).toFixed(1)} trials/s` : '';
    const value = best === null ? 'none yet' : best.values![0]!.toFixed(4);
    const place = `${stageNames.indexOf(stage) + 1}/${stageNames.length} ${stage}`;
    progress.update(place, finished / trials, `${finished}/${trials}, best ${value}, ${rate}`);
  };
}
