// Evaluates trials on the bars of their task, with the fits and backtests of training. Workers import this module.

import type { EvaluateBatch, TrialOrder, TrialOutcome, Watch } from '../run/index.ts';
import { evaluateNetworks } from './networks.ts';
import { failed } from './outcomes.ts';
import { parseTask, type Task } from './task.ts';
import { evaluateTrees } from './trees.ts';

/**
 * Evaluates one trial. What is refused (a config that no retrain takes, too few bars) is an outcome without values.
 * @param watch told of each fold but the last; a trial that it ends has the terms so far
 */
export async function evaluate(order: TrialOrder, watch?: Watch): Promise<TrialOutcome> {
  const [outcome] = await evaluateBatch([order], () => watch);
  return outcome!;
}

/** Evaluates trials of one study at once: networks as members of one training, trees one after the other. */
export const evaluateBatch: EvaluateBatch = async (orders, watchOf) => {
  let task: Task;
  try {
    task = parseTask(orders[0]!.task);
  } catch (error) {
    return orders.map(() => failed(error));
  }
  if (task.policy === 'nn_only') return evaluateNetworks(task, orders, watchOf);
  const outcomes: TrialOutcome[] = [];
  for (const order of orders) {
    outcomes.push(await evaluateTrees(task, order, watchOf?.(order.number)));
  }
  return outcomes;
};
