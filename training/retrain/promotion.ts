// The rules of promotion. A policy is promoted only if every rule holds on validation and on forward OOS;
// "nothing was promoted" is an ordinary outcome, and each rule says what it measured.

import { createRandom, type RunMetrics } from '../../core/index.ts';
import {
  deflatedSharpe,
  minTrackRecordLength,
  probabilisticSharpe,
  probabilisticSharpe2025,
  type SharpeMoments,
  sharpeMoments,
  stationaryBootstrap,
} from '../../models/evaluate/index.ts';
import type { ArmStatistics, RuleCheck } from '../report/index.ts';
import type { ArmRun, ArmRuns } from './arms.ts';
import type { RetrainConfig } from './config.ts';

type Rules = RetrainConfig['promotion'];
type WindowName = 'validation' | 'forward_oos';

/** Sharpe statistics of one arm in one window; null with a note where no Sharpe exists. */
export function statisticsOf(metrics: RunMetrics, trialCount: number): ArmStatistics {
  const moments = sharpeMoments(Float64Array.from(metrics.daily.returns));
  if (moments === null) {
    return {
      psr_2012_v1: null,
      psr_2025_v1: null,
      dsr_2014_v1: null,
      min_trl_2012_days: null,
      trial_count: trialCount,
      note: 'daily returns are constant or fewer than two: no Sharpe ratio exists',
    };
  }
  return {
    psr_2012_v1: probabilisticSharpe(moments).probability,
    psr_2025_v1: probabilisticSharpe2025(moments).probability,
    dsr_2014_v1: deflatedBy(moments, trialCount),
    min_trl_2012_days: minTrackRecordLength(moments).days,
    trial_count: trialCount,
    note: null,
  };
}

/**
 * DSR after so many trials. Their spread is taken to be that of skill-less trials over as many days, variance
 * 1 / (n - 1) of a per-day Sharpe ratio, which is what the gate takes too.
 */
function deflatedBy(moments: SharpeMoments, trialCount: number): number {
  const spread = { count: trialCount, sharpeVariance: 1 / (moments.n - 1) };
  return deflatedSharpe(moments, spread).probability;
}

/** Checks every rule for one policy against the frozen baseline. */
export function checkPromotion(
  policy: ArmRuns,
  baseline: ArmRuns,
  rules: Rules,
  trialCount: number,
  seed: number,
): RuleCheck[] {
  const windows: WindowName[] = ['validation', 'forward_oos'];
  return [
    ...windows.flatMap((window) =>
      windowChecks(window, policy[window], baseline[window], rules, seed),
    ),
    deflatedCheck(policy, rules, trialCount),
  ];
}

/** One sentence per broken rule; empty when the policy is promoted. */
export function brokenRules(checks: readonly RuleCheck[]): string[] {
  return checks.filter((check) => !check.passed).map((check) => `${check.window}: ${check.text}`);
}

function windowChecks(
  window: WindowName,
  { metrics }: ArmRun,
  baseline: ArmRun,
  rules: Rules,
  seed: number,
): RuleCheck[] {
  const own = metrics.daily.returns;
  const others = baseline.metrics.daily.returns;
  const advantage = own.map((dayReturn, day) => dayReturn - others[day]!);
  const mean = (rule: string, values: readonly number[], against: string) =>
    meanCheck({ rule, window, values, against, rules, seed });
  return [
    mean('beats_zero', own, 'zero'),
    mean('beats_frozen_baseline', advantage, 'the frozen baseline'),
    limitCheck('max_drawdown', window, Math.abs(metrics.max_drawdown), rules.max_drawdown),
    limitCheck('reject_rate', window, metrics.reject_rate, rules.max_reject_rate),
  ];
}

interface MeanQuestion {
  readonly rule: string;
  readonly window: WindowName;
  /** [days] net daily returns, or differences of them */
  readonly values: readonly number[];
  readonly against: string;
  readonly rules: Rules;
  readonly seed: number;
}

/** Is the mean above zero beyond luck? Stationary bootstrap, one-sided. */
function meanCheck({ rule, window, values, against, rules, seed }: MeanQuestion): RuleCheck {
  const allowed = 1 - rules.confidence;
  const interval = stationaryBootstrap(Float64Array.from(values), {
    random: createRandom(seed).fork(`${rule} ${window}`),
    resamples: rules.bootstrap_draws,
  });
  const bps = (share: number) => `${(1e4 * share).toFixed(2)} bps`;
  return {
    rule,
    window,
    passed: interval.estimate > 0 && interval.p_value <= allowed,
    value: interval.p_value,
    limit: allowed,
    text: `net return per day against ${against}: ${bps(interval.estimate)} [${bps(interval.low)}, ${bps(interval.high)}], p ${interval.p_value.toFixed(4)}, allowed ${allowed.toFixed(4)}`,
  };
}

function limitCheck(rule: string, window: WindowName, value: number, limit: number): RuleCheck {
  const text = `${rule} ${value.toFixed(4)}, allowed ${limit}`;
  return { rule, window, passed: value <= limit, value, limit, text };
}

function deflatedCheck(policy: ArmRuns, rules: Rules, trialCount: number): RuleCheck {
  const returns = [policy.validation, policy.forward_oos].flatMap(
    (run) => run.metrics.daily.returns,
  );
  const moments = sharpeMoments(Float64Array.from(returns));
  const value = moments === null ? null : deflatedBy(moments, trialCount);
  const shown = value === null ? 'does not exist (returns are constant)' : value.toFixed(4);
  return {
    rule: 'deflated_sharpe',
    window: 'both',
    passed: value !== null && value >= rules.min_dsr,
    value,
    limit: rules.min_dsr,
    text: `deflated Sharpe ratio over both windows, ${trialCount} trials: ${shown}, needed ${rules.min_dsr}`,
  };
}
