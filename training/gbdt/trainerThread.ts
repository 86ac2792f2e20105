// Entry of the thread on which LightGBM trains, so that the event loop lives meanwhile. A training stays on one thread
// because LightGBM's thread count, log receiver and last error belong to a thread.

import { parentPort } from 'node:worker_threads';
import { asSluiceError } from '../../core/index.ts';
import { findLightgbm } from '../native/index.ts';
import type { TrainerAnswer, TrainerRequest } from './trainer.ts';
import { runTraining } from './trainingJob.ts';

parentPort?.on('message', ({ job, answers }: TrainerRequest) => {
  const answer = (message: TrainerAnswer) => answers.postMessage(message);
  try {
    const library = findLightgbm(job.libraryPath);
    const text = runTraining(library, job, (round) => answer({ kind: 'round', round }));
    answer({ kind: 'done', text });
  } catch (error) {
    const { code, message, context } = asSluiceError(error);
    answer({ kind: 'failed', code, message, context });
  }
});
