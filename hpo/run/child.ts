// The module that worker-farm loads in each process: it loads the objectives' module and evaluates orders with it.

import { pathToFileURL } from 'node:url';
import { type Answer, type FromWorker, owner, type Request, type ToWorker } from './messages.ts';
import type { Evaluate, EvaluateBatch, TrialOrder, TrialOutcome, Watch } from './types.ts';

type Work = (orders: readonly TrialOrder[]) => Promise<readonly TrialOutcome[]>;

/** Answers orders; called by worker-farm. It never answers with an error. */
export function evaluate(request: Request, reply: (error: null, answer: Answer) => void): void {
  listen();
  send({ owner, kind: 'began', call: request.call });
  void answer(request).then((found) => {
    try {
      reply(null, found);
    } catch (error) {
      reply(null, { kind: 'failed', reason: `its outcome cannot be sent: ${textOf(error)}` });
    }
  });
}

async function answer({ module, isBatch, orders }: Request): Promise<Answer> {
  let work: Work;
  try {
    work = await load(module, isBatch);
  } catch (error) {
    return { kind: 'unusable', reason: textOf(error) };
  }
  try {
    return { kind: 'found', outcomes: await work(orders) };
  } catch (error) {
    return { kind: 'failed', reason: textOf(error) };
  }
}

/** The module's work; Node keeps the module from one call to the next. */
async function load(path: string, isBatch: boolean): Promise<Work> {
  const module = await import(pathToFileURL(path).href);
  const name = isBatch ? 'evaluateBatch' : 'evaluate';
  if (typeof module[name] !== 'function') {
    throw new Error(`it exports no function ${name}; it exports ${Object.keys(module).join(', ')}`);
  }
  if (isBatch) {
    const evaluateBatch = module.evaluateBatch as EvaluateBatch;
    return (orders) => evaluateBatch(orders, watchOf);
  }
  const evaluateOne = module.evaluate as Evaluate;
  return (orders) => Promise.all(orders.map((order) => evaluateOne(order, watchOf(order.number))));
}

const waiting = new Map<number, (answer: ToWorker) => void>();
let asked = 0;
let isListening = false;

function listen(): void {
  if (isListening) return;
  isListening = true;
  process.on('message', (message: ToWorker) => {
    if (message.owner !== owner) return;
    waiting.get(message.ask)?.(message);
    waiting.delete(message.ask);
  });
  // the run is gone, and nobody hears what is found; a message on its way may meet that first
  const leave = () => process.exit(0);
  process.on('disconnect', leave);
  process.on('error', leave);
}

const watchOf = (number: number): Watch => ({
  async report(step, value) {
    asked += 1;
    const { promise, resolve } = Promise.withResolvers<ToWorker>();
    waiting.set(asked, resolve);
    send({ owner, kind: 'report', ask: asked, number, step, value });
    const { prune, fault } = await promise;
    if (fault !== null) throw new Error(fault);
    return prune;
  },
});

const send = (message: FromWorker): void => {
  process.send!(message);
};

const textOf = (error: unknown): string => (error instanceof Error ? error.message : `${error}`);
