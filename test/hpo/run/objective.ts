// Objectives for tests: what a trial does is in the task. Each evaluation leaves a line in the task's log.

import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { TrialOrder, TrialOutcome, Watch } from '../../../hpo/run/index.ts';

/** What the trials of a test do. */
export interface TestTask {
  /** gets `number pid` for each evaluation that begins */
  readonly log?: string;
  /** longest time an evaluation takes, depending on its number */
  readonly delayMs?: number;
  /** by number of trial */
  readonly odd?: Readonly<
    Record<string, 'throw' | 'die' | 'hang' | 'nan' | 'garbage' | 'clone' | 'step'>
  >;
  /** steps to report, the value of each being the result */
  readonly steps?: number;
  /** an evaluation waits until this file is there */
  readonly gate?: string;
}

const sound = (value: number, userAttributes = {}): TrialOutcome => ({
  values: [value],
  failure: null,
  userAttributes,
  reports: [],
});

function scoreOf({ params, number }: TrialOrder): number {
  const { x, n, kind } = params as { x: number; n: number; kind: string };
  return (x - 0.3) ** 2 + Math.abs(n - 7) / 10 + (kind === 'b' ? 0 : 0.2) + (number % 3) * 1e-3;
}

export async function evaluate(order: TrialOrder, watch?: Watch): Promise<TrialOutcome> {
  const { log, delayMs = 0, odd = {}, steps = 0, gate } = order.task as TestTask;
  const { number, threads } = order;
  if (log !== undefined) appendFileSync(log, `${number} ${process.pid}\n`);
  while (gate !== undefined && !existsSync(gate)) await delay(5);
  if (delayMs > 0) await delay((number * 7919) % delayMs);
  switch (odd[String(number)]) {
    case 'throw':
      throw new Error('no gradient');
    case 'die':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'hang':
      for (;;) {}
    case 'step':
      await watch!.report(0.5, 1);
      break;
    case 'nan':
      return sound(Number.NaN);
    case 'garbage':
      return { value: 3 } as unknown as TrialOutcome;
    case 'clone':
      return { ...sound(1), userAttributes: { f: () => 1 } } as unknown as TrialOutcome;
  }
  const value = scoreOf(order);
  for (let step = 0; step < steps; step += 1) {
    if (await watch!.report(step, value + 1 / (step + 1))) return { ...sound(value), pruned: true };
  }
  return sound(value, { threads });
}

export const evaluateBatch = async (orders: readonly TrialOrder[]) =>
  orders.map((order): TrialOutcome => sound(scoreOf(order), { together: orders.length }));
