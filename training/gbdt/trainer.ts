// Hands a training to a background thread and listens to it. One idle thread is kept for the next training, which
// spares its start (about 50 ms); it does not keep the process alive.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { type ErrorCode, SluiceError } from '../../core/index.ts';
import type { GbdtRound } from './model.ts';
import type { TrainingJob } from './trainingJob.ts';

/** What the background thread is sent: a job and where to answer. */
export interface TrainerRequest {
  readonly job: TrainingJob;
  readonly answers: MessagePort;
}

/** What the background thread answers: rounds, a few at a time, and in the end one of the others. */
export type TrainerAnswer =
  | { readonly kind: 'rounds'; readonly rounds: readonly GbdtRound[] }
  | { readonly kind: 'done'; readonly text: string | null }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly context: Readonly<Record<string, unknown>>;
    };

let idle: Worker | null = null;

/**
 * Runs a training in the background.
 * @returns the text of the model, or null if it was stopped
 * @throws SluiceError `native_failed` | `tool_missing`, or what `onRound` throws, once the training has ended
 */
export async function trainInBackground(
  job: TrainingJob,
  onRound: (round: GbdtRound) => void,
): Promise<string | null> {
  const worker = idle ?? startWorker();
  idle = null;
  const { port1, port2 } = new MessageChannel();
  try {
    return await conversation(worker, job, port1, port2, onRound);
  } finally {
    port1.close();
    if (idle === null) idle = worker;
    else await worker.terminate();
  }
}

function startWorker(): Worker {
  const worker = new Worker(new URL('./trainerThread.ts', import.meta.url), {
    execArgv: [], // not this process's: `--eval` and the like would reach the thread
  });
  worker.unref();
  worker.once('exit', () => {
    if (idle === worker) idle = null;
  });
  return worker;
}

async function conversation(
  worker: Worker,
  job: TrainingJob,
  port: MessagePort,
  answers: MessagePort,
  onRound: (round: GbdtRound) => void,
): Promise<string | null> {
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  let thrown: readonly unknown[] = [];
  const round = (message: GbdtRound) => {
    if (thrown.length > 0) return;
    try {
      onRound(message);
    } catch (error) {
      thrown = [error];
      Atomics.store(job.stop, 0, 1);
    }
  };
  port.on('message', (answer: TrainerAnswer) => {
    if (answer.kind === 'rounds') answer.rounds.forEach(round);
    else if (thrown.length > 0) reject(thrown[0]);
    else if (answer.kind === 'done') resolve(answer.text);
    else reject(new SluiceError(answer.code, answer.message, answer.context));
  });
  port.once('close', () => reject(new SluiceError('internal', 'The training thread died.')));
  worker.once('error', reject);
  worker.postMessage({ job, answers } satisfies TrainerRequest, [answers]);
  try {
    return await promise;
  } finally {
    worker.off('error', reject);
  }
}
