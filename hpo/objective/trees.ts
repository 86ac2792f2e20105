// Trials of trees.

import {
  confirmationSamples,
  confirmTrees,
  walkForwardTrees,
} from '../../training/retrain/index.ts';
import type { TrialOrder, TrialOutcome, Watch } from '../run/index.ts';
import { fitsOf } from './fits.ts';
import { windowOf } from './kept.ts';
import { confirmed, failed, walk } from './outcomes.ts';
import type { Task } from './task.ts';

/** Evaluates a trial; what cannot be evaluated fails and says why. */
export async function evaluateTrees(
  task: Task,
  order: TrialOrder,
  watch: Watch | undefined,
): Promise<TrialOutcome> {
  try {
    const fits = fitsOf(task, order);
    const { config } = fits;
    if (task.kind === 'confirm') {
      const samples = await confirmationSamples(config, task, fits.signal);
      return confirmed(task, config, await confirmTrees(fits, samples));
    }
    const { samples } = await windowOf(task, fits);
    const trial = walk(task, config, watch);
    for await (const run of walkForwardTrees(fits, samples, task.folds)) {
      const outcome = await trial.step(run);
      if (outcome !== null) return outcome;
    }
    throw new Error('A walk-forward ended before its last fold.');
  } catch (error) {
    return failed(error);
  }
}
