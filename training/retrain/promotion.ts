// The rules of promotion. A policy is promoted only if every rule holds on validation and on forward OOS; a network must
// improve on the trees as well. "Nothing was promoted" is an ordinary outcome, and each rule says what it measured.

import { createRandom, type Policy, policySchema, type RunMetrics } from '../../core/index.ts';
import {
  type BootstrapInterval,
  deflatedSharpe,
  minTrackRecordLength,
  probabilisticSharpe,
  probabilisticSharpe2025,
  type SharpeMoments,
  sharpeMoments,
  stationaryBootstrap,
} from '../../models/evaluate/index.ts';
import type { ArmStatistics, RuleCheck } from '../report/index.ts';
import { type ArmRun, type ArmRuns, meanDailyReturn } from './arms.ts';
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

/**
 * Interval of the mean daily net return of an arm, by stationary bootstrap; null with fewer than two days. It is shown
 * and judges nothing, so it takes fewer draws than the rules.
 * @param name decides the draws, with the seed
 */
export function returnInterval(
  { daily }: RunMetrics,
  name: string,
  seed: number,
): BootstrapInterval | null {
  if (daily.returns.length < 2) return null;
  const random = createRandom(seed).fork(`interval ${name}`);
  return stationaryBootstrap(Float64Array.from(daily.returns), { random, resamples: 1000 });
}

/** What the rules say of one policy. */
export interface Verdict {
  readonly promoted: boolean;
  readonly checks: readonly RuleCheck[];
  /** why it is not promoted; empty if it is */
  readonly reasons: readonly string[];
}

/**
 * Judges every policy among the arms and promotes at most one: of those that pass every rule the one with the best
 * validation result, the first of equals. A network that passes has a better one than the trees, so these stay only
 * where no network passes.
 */
export function judgePolicies(
  runs: ReadonlyMap<string, ArmRuns>,
  rules: Rules,
  trialCount: number,
  seed: number,
): { readonly verdicts: ReadonlyMap<string, Verdict>; readonly promotedPolicy: Policy | null } {
  const trees = runs.get('tabular_only')!;
  const judged = [...runs].flatMap(([name, run]) => {
    const policy = policySchema.safeParse(name);
    if (!policy.success) return [];
    const checks = checkPromotion(run, runs.get('frozen_baseline')!, rules, trialCount, seed);
    if (run !== trees) checks.push(...checkImprovement(run, trees, rules, seed));
    const passed = checks.every((check) => check.passed);
    return [{ policy: policy.data, run, checks, passed }];
  });
  const passed = judged.filter((one) => one.passed);
  const result = ({ run }: { run: ArmRuns }) => meanDailyReturn(run.validation.metrics);
  const [first, ...others] = passed;
  const best = first && others.reduce((a, b) => (result(b) > result(a) ? b : a), first);
  const verdicts = judged.map(({ policy, checks, passed }): [string, Verdict] => {
    const promoted = policy === best?.policy;
    const outdone = passed && !promoted ? [outdoneBy(policy, best!.policy)] : [];
    return [policy, { promoted, checks, reasons: [...brokenRules(checks), ...outdone] }];
  });
  return { verdicts: new Map(verdicts), promotedPolicy: best?.policy ?? null };
}

const outdoneBy = (policy: Policy, best: Policy): string =>
  policy === 'tabular_only'
    ? `both: every rule holds, and ${best} improves on it`
    : `both: every rule holds, but ${best} has the better validation result`;

/** The rules that a policy with a network keeps besides those of {@link checkPromotion}: it improves on the trees alone. */
export function checkImprovement(
  policy: ArmRuns,
  trees: ArmRuns,
  rules: Rules,
  seed: number,
): RuleCheck[] {
  const advantage = windows.map((window) => advantageOver(policy, trees, window));
  return [
    ...windows.map((window, i) =>
      signCheck('above_tabular_only', window, advantage[i]!, 'tabular_only'),
    ),
    luckCheck('beats_tabular_only', advantage.flat(), 'tabular_only', rules, seed),
  ];
}

const windows: readonly WindowName[] = ['validation', 'forward_oos'];

/** Daily net returns of a policy less those of another arm. */
const advantageOver = (policy: ArmRuns, other: ArmRuns, window: WindowName): number[] =>
  policy[window].metrics.daily.returns.map(
    (dayReturn, day) => dayReturn - other[window].metrics.daily.returns[day]!,
  );

/** Checks every rule for one policy against the frozen baseline. */
export function checkPromotion(
  policy: ArmRuns,
  baseline: ArmRuns,
  rules: Rules,
  trialCount: number,
  seed: number,
): RuleCheck[] {
  const own = windows.map((window) => policy[window].metrics.daily.returns);
  const advantage = windows.map((window) => advantageOver(policy, baseline, window));
  return [
    ...windows.flatMap((window, i) => [
      signCheck('net_return_positive', window, own[i]!, 'zero'),
      signCheck('above_frozen_baseline', window, advantage[i]!, 'the frozen baseline'),
      ...limitChecks(window, policy[window], rules),
    ]),
    luckCheck('beats_zero', own.flat(), 'zero', rules, seed),
    luckCheck('beats_frozen_baseline', advantage.flat(), 'the frozen baseline', rules, seed),
    deflatedCheck(own.flat(), rules, trialCount),
  ];
}

/** One sentence per broken rule; empty when the policy is promoted. */
export function brokenRules(checks: readonly RuleCheck[]): string[] {
  return checks.filter((check) => !check.passed).map((check) => `${check.window}: ${check.text}`);
}

/** Each window must point the right way; whether that is luck is asked once, of both windows together. */
function signCheck(
  rule: string,
  window: WindowName,
  values: readonly number[],
  against: string,
): RuleCheck {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const text = `net return per day against ${against}: ${bps(mean)}, needed above 0`;
  return { rule, window, passed: mean > 0, value: mean, limit: 0, text };
}

function limitChecks(window: WindowName, { metrics }: ArmRun, rules: Rules): RuleCheck[] {
  const check = (rule: string, value: number, limit: number): RuleCheck => {
    const text = `${rule} ${value.toFixed(4)}, allowed ${limit}`;
    return { rule, window, passed: value <= limit, value, limit, text };
  };
  return [
    check('max_drawdown', Math.abs(metrics.max_drawdown), rules.max_drawdown),
    check('reject_rate', metrics.reject_rate, rules.max_reject_rate),
  ];
}

/** Is the mean above zero beyond luck? Stationary bootstrap over both windows, one-sided. */
function luckCheck(
  rule: string,
  values: readonly number[],
  against: string,
  rules: Rules,
  seed: number,
): RuleCheck {
  const limit = 1 - rules.confidence;
  const { estimate, low, high, p_value } = stationaryBootstrap(Float64Array.from(values), {
    random: createRandom(seed).fork(rule),
    resamples: rules.bootstrap_draws,
  });
  return {
    rule,
    window: 'both',
    passed: estimate > 0 && p_value <= limit,
    value: p_value,
    limit,
    text: `net return per day against ${against}: ${bps(estimate)} [${bps(low)}, ${bps(high)}], p ${p_value.toFixed(4)}, allowed ${limit.toFixed(4)}`,
  };
}

const bps = (share: number): string => `${(1e4 * share).toFixed(2)} bps`;

function deflatedCheck(returns: readonly number[], rules: Rules, trialCount: number): RuleCheck {
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
