// The processes that evaluate trials: worker-farm, one call for each process at a time and none repeated, so that a crash
// costs one trial. The processes stand apart from the terminal, whose Ctrl-C is for the run to understand.

import type { ChildProcess } from 'node:child_process';
import workerFarm from 'worker-farm';
import { projectPath } from '../../core/index.ts';
import { type Answer, type FromWorker, owner, type Request, type ToWorker } from './messages.ts';
import type { TrialOrder } from './types.ts';

/** What processes are made for. */
export interface FarmOptions {
  /** path of the objectives' module */
  readonly module: string;
  readonly isBatch: boolean;
  readonly workers: number;
  /** null = none */
  readonly timeoutMs: number | null;
  /** Hears a trial's report. @returns whether it should give up @throws what is wrong with the report */
  readonly onReport: (number: number, step: number, value: number) => Promise<boolean>;
}

/** Processes that start as they are needed. */
export interface Farm {
  /** Evaluates orders in one process, together; never throws. At most `workers` calls at a time. */
  evaluate(orders: readonly TrialOrder[]): Promise<Answer>;
  /** Ends idle processes, and returns when they are gone. */
  end(): Promise<void>;
  /** Kills all processes, and returns when they are gone. Evaluations under way may never be answered. */
  kill(): Promise<void>;
}

/** A process that dies before it begins costs nothing, but not for ever. */
const maxStarts = 3;

/** Makes a farm; no process starts yet. */
export function createFarm(options: FarmOptions): Farm {
  const { module, isBatch, workers, timeoutMs, onReport } = options;
  const children = new Map<ChildProcess, Promise<void>>();
  /** processes by call, from the moment they begin with it */
  const began = new Map<number, ChildProcess>();
  let calls = 0;

  const onChild = (child: ChildProcess): void => {
    const { promise, resolve } = Promise.withResolvers<void>();
    children.set(child, promise);
    child.once('exit', () => {
      children.delete(child);
      resolve();
    });
    child.on('message', (message: FromWorker) => {
      if (message.owner !== owner) return;
      if (message.kind === 'began') began.set(message.call, child);
      else void answerReport(child, message);
    });
  };
  const answerReport = async (child: ChildProcess, message: FromWorker & { kind: 'report' }) => {
    const { ask, number, step, value } = message;
    const found = await onReport(number, step, value).then(
      (prune) => ({ prune, fault: null }),
      (error: Error) => ({ prune: false, fault: error.message }),
    );
    if (child.connected) child.send({ owner, ask, ...found } satisfies ToWorker);
  };

  const farmOptions = {
    maxConcurrentWorkers: workers,
    maxConcurrentCallsPerWorker: 1,
    maxRetries: 0,
    maxCallTime: timeoutMs ?? Number.POSITIVE_INFINITY,
    workerOptions: {
      // structured clone, since JSON has no NaN; what objectives print must not mix with a command's output
      serialization: 'advanced' as const,
      stdio: ['ignore', 2, 2, 'ipc'] as ['ignore', 2, 2, 'ipc'],
      detached: true,
    },
    onChild,
  };
  const farm = workerFarm(farmOptions, projectPath('hpo', 'run', 'child.ts'), ['evaluate']);
  const once = (call: number, orders: readonly TrialOrder[]): Promise<Answer | Error> => {
    const { promise, resolve } = Promise.withResolvers<Answer | Error>();
    const request: Request = { module, isBatch, call, orders };
    farm.evaluate!(request, (error: Error | null, answer: Answer) => resolve(error ?? answer));
    return promise;
  };
  const reasonOf = (error: Error & { readonly type?: string }, call: number): string => {
    if (error.type === 'TimeoutError') return `it took longer than ${timeoutMs} ms`;
    const { signalCode = null, exitCode = null } = began.get(call) ?? {};
    const how = signalCode === null ? `with exit code ${exitCode}` : `by ${signalCode}`;
    return `its process ended ${how} while it ran`;
  };

  return {
    async evaluate(orders) {
      for (let start = 1; ; start += 1) {
        calls += 1;
        const call = calls;
        const answer = await once(call, orders);
        const isUntouched = answer instanceof Error && !began.has(call);
        if (!(answer instanceof Error)) {
          began.delete(call);
          return answer;
        }
        if (isUntouched && start < maxStarts) continue;
        const reason = isUntouched ? 'no process could be started' : reasonOf(answer, call);
        began.delete(call);
        return { kind: 'failed', reason };
      }
    },
    async end() {
      const gone = [...children.values()];
      workerFarm.end(farm);
      await Promise.all(gone);
    },
    async kill() {
      workerFarm.end(farm);
      const gone = [...children.values()];
      for (const child of children.keys()) child.kill('SIGKILL');
      await Promise.all(gone);
    },
  };
}
