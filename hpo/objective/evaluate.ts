// Evaluates a trial on the bars of its task, with the fits and backtests of training. Workers import this module.

import { asSluiceError, digestOf } from '../../core/index.ts';
import { builtLightgbmPath, findLightgbm } from '../../training/native/index.ts';
import {
  confirmationSamples,
  confirmTrial,
  type TrialFits,
  type WindowSamples,
  walkForwardTrial,
  windowSamples,
} from '../../training/retrain/index.ts';
import type { TrialOrder, TrialOutcome, Watch } from '../run/index.ts';
import { applyParams } from './space.ts';
import { parseTask, type Task } from './task.ts';
import { type Judged, judgeRun } from './terms.ts';

/**
 * Evaluates one trial. What is refused (a config that no retrain takes, too few bars) is an outcome without values.
 * @param watch told of each fold but the last; a trial that it ends has the terms so far
 */
export async function evaluate(order: TrialOrder, watch?: Watch): Promise<TrialOutcome> {
  try {
    const task = parseTask(order.task);
    const config = applyParams(task.base, order.params);
    const gbdt = { ...config.gbdt, threads: order.threads };
    const fits: TrialFits = {
      config: { ...config, gbdt },
      library: findLightgbm(builtLightgbmPath(config.gbdt.device)),
      signal: new AbortController().signal,
    };
    return task.kind === 'confirm'
      ? await confirmed(task, fits)
      : await walkedForward(task, fits, watch);
  } catch (thrown) {
    const { code, message } = asSluiceError(thrown);
    return { values: null, failure: `${message} [${code}]`, userAttributes: {}, reports: [] };
  }
}

type WalkForwardTask = Extract<Task, { kind: 'walk_forward' }>;
type ConfirmTask = Extract<Task, { kind: 'confirm' }>;

async function walkedForward(
  task: WalkForwardTask,
  fits: TrialFits,
  watch: Watch | undefined,
): Promise<TrialOutcome> {
  const { initial_equity: equity } = fits.config.trade;
  const samples = await samplesOf(task);
  const reports: [number, number][] = [];
  let last: Judged | null = null;
  for await (const { metrics, span } of walkForwardTrial(fits, samples, task.folds)) {
    last = judgeRun(metrics, span, equity, task.weights);
    reports.push([reports.length + 1, last.value]);
    if (reports.length === task.folds) break;
    if (await watch?.report(reports.length, last.value)) {
      const userAttributes = { ...last.terms };
      return { values: null, failure: null, userAttributes, reports, pruned: true };
    }
  }
  return {
    values: [last!.value],
    failure: null,
    userAttributes: { ...last!.terms },
    reports,
    constraints: { no_trade: noTrade(last!) },
  };
}

/** Doing nothing costs nothing and would beat every honest loss: such a trial is not feasible. */
const noTrade = ({ terms }: Judged): number => (terms.turnover > 0 ? 0 : 1);

async function confirmed(task: ConfirmTask, fits: TrialFits): Promise<TrialOutcome> {
  const samples = await confirmationSamples(fits.config, task, fits.signal);
  const found = await confirmTrial(fits, samples);
  const { initial_equity: equity } = fits.config.trade;
  const judge = (window: 'validation' | 'forwardOos') =>
    judgeRun(found[window].metrics, found[window].span, equity, task.weights);
  const [validation, forward] = [judge('validation'), judge('forwardOos')];
  const { max_drawdown: drawdown, max_reject_rate: rejects } = fits.config.promotion;
  const both = [validation.terms, forward.terms];
  return {
    values: [forward.value],
    failure: null,
    reports: [[1, validation.value]],
    constraints: {
      windows_without_profit: both.filter(({ pnl_after_cost }) => pnl_after_cost <= 0).length,
      max_drawdown: Math.max(...both.map(({ max_drawdown }) => max_drawdown)) - drawdown,
      reject_rate: Math.max(...both.map(({ reject_rate }) => reject_rate)) - rejects,
    },
    userAttributes: {
      ...forward.terms,
      validation: { value: validation.value, ...validation.terms },
      rounds: found.rounds,
      data_regime: found.dataRegime,
      forward_oos: {
        ...found.forwardOos.span,
        daily_returns: found.forwardOos.metrics.daily.returns,
      },
    },
  };
}

/** Rows of the last task, which a worker is given for many trials; rows of two would cost memory. */
let kept: { readonly key: string; readonly samples: Promise<WindowSamples> } | null = null;

function samplesOf({ base, ...task }: WalkForwardTask): Promise<WindowSamples> {
  const key = digestOf({ ...task, label: base.label, windows: base.windows });
  if (kept?.key === key) return kept.samples;
  const samples = windowSamples(base, task, task.window);
  kept = { key, samples };
  samples.catch(() => {
    kept = null; // a bar store that was busy or missing may be there for the next trial
  });
  return samples;
}
