// The `gate` command: reads finished runs, judges them, stores the verdict, says it.

import {
  type Clock,
  type CommandResult,
  type DataRegime,
  parseStrict,
  type RunRecord,
  type RunSource,
} from '../../core/index.ts';
import { selectEvidence, type UnreadRuns } from './evidence.ts';
import { type FilterChoice, gateFilters } from './filters.ts';
import { judge, type Verdict } from './judge.ts';
import { gateRequirementsSchema } from './requirements.ts';

/** What is asked; requirements that are absent have their defaults. */
export interface GateQuestion extends FilterChoice {
  readonly minCompletedRuns?: number | undefined;
  readonly minObservationDays?: number | undefined;
}

/** The same as the command line says it. */
export interface GateOptions extends Omit<GateQuestion, 'artifactDigest' | 'includeSources'> {
  readonly artifact?: string | undefined;
  /** monitoring only */
  readonly includeSource?: FilterChoice['includeSources'];
}

/** What the gate needs of the store. */
export interface GateStore {
  /** finished runs with these labels; it may return more, for they are filtered again */
  finishedRuns(labels: {
    readonly runSources: readonly RunSource[];
    readonly dataRegimes: readonly DataRegime[];
    readonly policies: readonly string[];
    readonly scoreSources: readonly ['model'];
    readonly statuses: readonly ['completed'];
  }): Promise<readonly RunRecord[]>;
  /** counts of all runs by label */
  tallyRuns(): Promise<UnreadRuns>;
  /** returns the verdict's id */
  saveVerdict(verdict: Readonly<Record<string, unknown>>, createdAt: number): Promise<string>;
}

/**
 * Answers a question from runs that are at hand; it reads of them what the filters let through.
 * @param unread counts of runs that are not at hand, see {@link selectEvidence}
 * @throws SluiceError `config_invalid`
 */
export function judgeRuns(
  runs: readonly RunRecord[],
  question: GateQuestion,
  unread: UnreadRuns = [],
): Verdict {
  const requirements = parseStrict(
    gateRequirementsSchema,
    {
      min_completed_runs: question.minCompletedRuns,
      min_observation_days: question.minObservationDays,
    },
    'gate requirements',
  );
  return judge(selectEvidence(runs, gateFilters(question), unread), requirements);
}

/** Judges what the store holds; exit code 0 pass, 3 fail, 4 insufficient_observation. */
export async function gate(
  options: GateOptions,
  store: GateStore,
  clock: Clock,
): Promise<CommandResult> {
  const { artifact, includeSource, ...others } = options;
  const question = { ...others, artifactDigest: artifact, includeSources: includeSource };
  const filters = gateFilters(question);
  const runs = await store.finishedRuns({
    runSources: filters.include_sources,
    dataRegimes: [filters.data_regime],
    policies: [filters.policy],
    scoreSources: ['model'],
    statuses: ['completed'],
  });
  const verdict = judgeRuns(runs, question, await store.tallyRuns());
  const verdictId = await store.saveVerdict(verdict, clock());
  return {
    json: { verdict_id: verdictId, ...verdict },
    text: renderVerdict(verdict),
    exit: gateExit[verdict.status],
  };
}

/** Exit code of each status. */
export const gateExit = { pass: 0, fail: 3, insufficient_observation: 4 } as const;

/** The verdict for people. */
export function renderVerdict(verdict: Verdict): string {
  const { status, counts, filters, metrics, reasons } = verdict;
  const aside = Object.entries(counts.set_aside).filter(([, count]) => count > 0);
  return [
    `gate: ${status}`,
    `  read: ${filters.include_sources.join(', ')} runs, score_source ${filters.score_source}, data_regime ${filters.data_regime}, policy ${filters.policy}`,
    `  evidence: ${counts.completed_runs} runs over ${counts.observation_days} days`,
    `  set aside: ${aside.map(([reason, count]) => `${count} ${reason}`).join(', ') || 'none'}`,
    ...(metrics === null ? [] : renderMetrics(metrics)),
    ...reasons.map((reason) => `  - ${reason}`),
  ].join('\n');
}

function renderMetrics(metrics: NonNullable<Verdict['metrics']>): string[] {
  const { min, max } = metrics.diagnostics.sharpe_step_raw;
  const days = metrics.min_trl?.days;
  return [
    `  sharpe_daily ${metrics.sharpe_daily.toFixed(3)} (${metrics.sharpe_method}${metrics.vol_floor_applied ? ', volatility floor applied' : ''})`,
    `  PSR ${show(metrics.psr?.probability)}, DSR ${show(metrics.dsr?.probability)} after ${metrics.trial_count} trials, MinTRL ${typeof days === 'number' ? `${Math.ceil(days)} days` : (days ?? 'none')}`,
    `  max_drawdown ${metrics.max_drawdown.toFixed(4)}, reject_rate ${metrics.reject_rate.toFixed(4)}`,
    `  diagnostics, not judged: sharpe_step_raw ${min.toFixed(3)} to ${max.toFixed(3)}`,
  ];
}

const show = (probability: number | undefined): string => probability?.toFixed(4) ?? 'none';
