// What a worker keeps from one trial to the next: the rows of a task, and what is cut and fitted of them once for all trials.

import { digestOf } from '../../core/index.ts';
import {
  type NetworkWindow,
  networkWindow,
  type TrialFits,
  type WindowSamples,
  windowSamples,
} from '../../training/retrain/index.ts';
import type { WalkForwardTask } from './task.ts';

/** Rows of a task. */
export interface KeptWindow {
  readonly samples: WindowSamples;
  /** folds for networks, with their teachers; made when they are first asked for */
  readonly networks: () => NetworkWindow;
}

/** Of the last task, which a worker is given for many trials; rows of two would cost memory. */
let kept: { readonly key: string; readonly window: Promise<KeptWindow> } | null = null;

/**
 * The rows of a task.
 * @param fits of the trial that asks; nothing that is kept depends on its parameters
 */
export function windowOf(task: WalkForwardTask, fits: TrialFits): Promise<KeptWindow> {
  const key = digestOf(task);
  if (kept?.key === key) return kept.window;
  const window = open(task, fits);
  kept = { key, window };
  window.catch(() => {
    kept = null; // a bar store that was busy or missing may be there for the next trial
  });
  return window;
}

async function open(task: WalkForwardTask, fits: TrialFits): Promise<KeptWindow> {
  const { base } = task;
  const samples = await windowSamples(base, task, task.window);
  const { threads } = fits.config.gbdt;
  const config = { ...base, gbdt: { ...base.gbdt, threads } };
  let networks: NetworkWindow | null = null;
  return {
    samples,
    networks: () => {
      networks ??= networkWindow({ ...fits, config }, samples, task.folds);
      return networks;
    },
  };
}
