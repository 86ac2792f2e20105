// What a trial is told to have come to, whatever was fitted.

import { asSluiceError } from '../../core/index.ts';
import type { Confirmation, RetrainConfig, TrialRun } from '../../training/retrain/index.ts';
import type { TrialOutcome, Watch } from '../run/index.ts';
import type { Json } from '../study/index.ts';
import type { ConfirmTask, WalkForwardTask } from './task.ts';
import { type Judged, judgeRun } from './terms.ts';

/** A trial that could not be evaluated. */
export function failed(thrown: unknown): TrialOutcome {
  const { code, message } = asSluiceError(thrown);
  return { values: null, failure: `${message} [${code}]`, userAttributes: {}, reports: [] };
}

/** A trial on its way through the folds of a window. */
export interface Walk {
  /**
   * Takes the run of all folds so far.
   * @returns how the trial ended; null = it goes on
   */
  step(run: TrialRun): Promise<TrialOutcome | null>;
}

/**
 * Judges a trial fold by fold.
 * @param watch told of each fold but the last; a trial that it ends has the terms so far
 * @param extra attributes beside the terms
 */
export function walk(
  task: WalkForwardTask,
  { trade }: RetrainConfig,
  watch: Watch | undefined,
  extra: Readonly<Record<string, Json>> = {},
): Walk {
  const reports: [number, number][] = [];
  return {
    async step({ metrics, span }) {
      const judged = judgeRun(metrics, span, trade.initial_equity, task.weights);
      const { value, terms } = judged;
      // where nothing was traded there is nothing to compare: pruners leave NaN out of the others, and end the trial itself
      const told = hasTraded(judged) ? value : Number.NaN;
      reports.push([reports.length + 1, told]);
      const userAttributes = { ...terms, ...extra };
      if (reports.length === task.folds) {
        const constraints = { no_trade: hasTraded(judged) ? 0 : 1 };
        return { values: [value], failure: null, userAttributes, reports, constraints };
      }
      if (!(await watch?.report(reports.length, told))) return null;
      return { values: null, failure: null, userAttributes, reports, pruned: true };
    },
  };
}

/** Doing nothing costs nothing and would beat every honest loss: a trial that never trades is not feasible. */
const hasTraded = ({ terms }: Judged): boolean => terms.turnover > 0;

/** Judges a confirmation: the value is that of forward OOS, and both windows must hold. */
export function confirmed(
  task: ConfirmTask,
  { trade, promotion }: RetrainConfig,
  found: Confirmation,
  extra: Readonly<Record<string, Json>> = {},
): TrialOutcome {
  const judge = ({ metrics, span }: TrialRun) =>
    judgeRun(metrics, span, trade.initial_equity, task.weights);
  const [validation, forward] = [judge(found.validation), judge(found.forwardOos)];
  const both = [validation.terms, forward.terms];
  const worst = (term: 'max_drawdown' | 'reject_rate') =>
    Math.max(...both.map((terms) => terms[term]));
  return {
    values: [forward.value],
    failure: null,
    reports: [[1, validation.value]],
    constraints: {
      windows_without_profit: both.filter(({ pnl_after_cost }) => pnl_after_cost <= 0).length,
      max_drawdown: worst('max_drawdown') - promotion.max_drawdown,
      reject_rate: worst('reject_rate') - promotion.max_reject_rate,
    },
    userAttributes: {
      ...forward.terms,
      ...extra,
      validation: { value: validation.value, ...validation.terms },
      ...found.fitted,
      data_regime: found.dataRegime,
      forward_oos: {
        ...found.forwardOos.span,
        daily_returns: found.forwardOos.metrics.daily.returns,
      },
    },
  };
}
