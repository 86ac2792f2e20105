// The gate: evidence and requirements in, a verdict out. Pure; what it reads stands in the verdict.
//
// 1. Fewer completed runs or days than asked for: insufficient_observation, whatever the numbers say.
// 2. Otherwise a broken condition (Sharpe, drawdown, reject rate): fail. More days cannot heal these.
// 3. Otherwise a record shorter than its minimum track record length: insufficient_observation.
// 4. Otherwise a Sharpe that so many trials reach by luck: fail. 5. Otherwise: pass.

import { type DataRegime, SluiceError } from '../../core/index.ts';
import { type Evidence, isEvidence } from './evidence.ts';
import { type GateFilters, isMonitoring, type SetAsideReason } from './filters.ts';
import { pool } from './pool.ts';
import type { GateRequirements } from './requirements.ts';
import { type GateMetrics, gateMetrics } from './statistics.ts';

/** The three answers. */
export type GateStatus = 'pass' | 'fail' | 'insufficient_observation';

/** What is still missing. */
export interface Need {
  readonly condition: 'completed_runs' | 'observation_days';
  readonly have: number;
  readonly required: number;
  readonly missing: number;
  /** "41 more days" */
  readonly sentence: string;
}

/** A verdict as it is printed and stored; a type, not an interface, so that it is a plain record too. */
export type Verdict = {
  readonly verdict_version: 'gate_v1';
  readonly status: GateStatus;
  readonly data_regime: DataRegime;
  readonly filters: GateFilters;
  readonly requirements: GateRequirements;
  readonly counts: {
    readonly completed_runs: number;
    readonly observation_days: number;
    readonly recorded_runs: number;
    readonly set_aside: Readonly<Record<SetAsideReason, number>>;
  };
  /** null without a single run */
  readonly metrics: GateMetrics | null;
  readonly needs: readonly Need[];
  readonly reasons: readonly string[];
  readonly run_ids: readonly string[];
};

/**
 * Judges evidence.
 * @throws SluiceError `internal` for anything that `selectEvidence` did not make
 */
export function judge(evidence: Evidence, requirements: GateRequirements): Verdict {
  if (!isEvidence(evidence)) {
    throw new SluiceError('internal', 'A verdict rests on what selectEvidence chose, only.');
  }
  const { runs, filters, setAside } = evidence;
  const pooled = pool(runs);
  const days = pooled.days.length;
  const metrics =
    runs.length === 0 ? null : gateMetrics(pooled, runs, requirements.min_trl_confidence);
  const findings = weigh(runs.length, days, metrics, requirements);
  const outcome = isMonitoring(filters) ? withoutPass(findings) : findings;
  return {
    verdict_version: 'gate_v1',
    status: outcome.status,
    data_regime: filters.data_regime,
    filters,
    requirements,
    counts: {
      completed_runs: runs.length,
      observation_days: days,
      recorded_runs: Object.values(setAside).reduce((total, count) => total + count, runs.length),
      set_aside: setAside,
    },
    metrics,
    needs: outcome.needs,
    reasons: outcome.reasons,
    run_ids: runs.map((run) => run.run_id),
  };
}

type Findings = Pick<Verdict, 'status' | 'needs' | 'reasons'>;

function weigh(
  runs: number,
  days: number,
  metrics: GateMetrics | null,
  requirements: GateRequirements,
): Findings {
  const { min_completed_runs, min_observation_days } = requirements;
  const needs = [
    need('completed_runs', runs, min_completed_runs),
    need('observation_days', days, min_observation_days),
  ].filter((entry) => entry !== undefined);
  const breaches = metrics === null ? [] : breachesOf(metrics, requirements);
  if (needs.length > 0) return insufficient(needs, breaches);
  if (metrics === null || breaches.length > 0) return fail(breaches);
  const record = need('observation_days', days, trackRecordDays(metrics));
  if (record !== undefined) return insufficient([record], []);
  const luck = luckOf(metrics, requirements);
  return luck.length > 0 ? fail(luck) : { status: 'pass', needs: [], reasons: [] };
}

const fail = (reasons: readonly string[]): Findings => ({ status: 'fail', needs: [], reasons });

/** Conditions that are broken already are told along, though they do not decide yet. */
const insufficient = (needs: readonly Need[], breaches: readonly string[]): Findings => ({
  status: 'insufficient_observation',
  needs,
  reasons: [
    ...needs.map(
      ({ condition, have, required, sentence }) =>
        `${condition}: ${have} of ${required}; ${sentence} needed`,
    ),
    ...breaches,
  ],
});

function need(condition: Need['condition'], have: number, required: number): Need | undefined {
  if (have >= required) return undefined;
  const missing = required - have;
  const unit = condition === 'completed_runs' ? 'completed run' : 'day';
  return {
    condition,
    have,
    required,
    missing,
    sentence: `${missing} more ${unit}${missing === 1 ? '' : 's'}`,
  };
}

/** Conditions that more observation cannot heal. */
function breachesOf(metrics: GateMetrics, requirements: GateRequirements): string[] {
  const { sharpe_daily, max_drawdown, reject_rate } = metrics;
  return [
    sharpe_daily < requirements.min_sharpe_daily &&
      `sharpe_daily: ${short(sharpe_daily)}, at least ${requirements.min_sharpe_daily} is required`,
    -max_drawdown > requirements.max_drawdown &&
      `max_drawdown: ${short(-max_drawdown)}, at most ${requirements.max_drawdown} is allowed`,
    reject_rate > requirements.max_reject_rate &&
      `reject_rate: ${short(reject_rate)}, at most ${requirements.max_reject_rate} is allowed`,
  ].filter((reason) => reason !== false);
}

/** Whole days of the minimum track record; 0 where no number of days would do, which the DSR then says. */
function trackRecordDays({ min_trl }: GateMetrics): number {
  return min_trl === null || min_trl.days === 'infinite' ? 0 : Math.ceil(min_trl.days);
}

function luckOf({ dsr }: GateMetrics, { min_dsr }: GateRequirements): string[] {
  if (dsr === null) return ['dsr: the daily returns hardly vary, so nothing tells skill from luck'];
  if (dsr.probability >= min_dsr) return [];
  return [
    `dsr: ${short(dsr.probability)} after ${dsr.trials} trials, at least ${min_dsr} is required`,
  ];
}

function withoutPass({ status, needs, reasons }: Findings): Findings {
  return {
    status: status === 'pass' ? 'insufficient_observation' : status,
    needs,
    reasons: [
      ...reasons,
      'monitor_only: the filters include more than prod runs on prod_live data; such a verdict releases nothing',
    ],
  };
}

const short = (value: number): string => String(Number(value.toPrecision(4)));
