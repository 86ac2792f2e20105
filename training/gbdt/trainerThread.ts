// Entry of the thread on which LightGBM trains, so that the event loop lives meanwhile. A training stays on one thread
// because LightGBM's thread count, log receiver and last error belong to a thread.

import { parentPort } from 'node:worker_threads';
import { asSluiceError } from '../../core/index.ts';
import { findLightgbm } from '../native/index.ts';
import type { GbdtRound } from './model.ts';
import type { TrainerAnswer, TrainerRequest } from './trainer.ts';
import { runTraining } from './trainingJob.ts';

/** Rounds are told at most this often: each message wakes the asking thread, which takes a core from the training. */
const tellEveryMs = 50;

parentPort?.on('message', ({ job, answers }: TrainerRequest) => {
  const answer = (message: TrainerAnswer) => answers.postMessage(message);
  let untold: GbdtRound[] = [];
  let toldMs = performance.now();
  const tell = () => {
    if (untold.length > 0) answer({ kind: 'rounds', rounds: untold });
    untold = [];
    toldMs = performance.now();
  };
  try {
    const text = runTraining(findLightgbm(job.libraryPath, 'training'), job, (round) => {
      untold.push(round);
      if (performance.now() - toldMs >= tellEveryMs) tell();
    });
    tell();
    answer({ kind: 'done', text });
  } catch (error) {
    const { code, message, context } = asSluiceError(error);
    answer({ kind: 'failed', code, message, context });
  }
});
