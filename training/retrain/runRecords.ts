// Each arm in each window as a row of `backtest_runs`, with labels that are computed, not claimed.

import type { DataRegime, RunRecord, RunSource, ScoreSource } from '../../core/index.ts';
import { dataRegime, scoreSource, sourcesOf, type TimeSpan } from '../../models/backtest/index.ts';
import type { ArmRun } from './arms.ts';
import { candidateCount, type RetrainConfig } from './config.ts';
import type { Experiment } from './experiment.ts';
import type { RunIdentity } from './modelArtifact.ts';

/** What the records of a run have in common. */
export interface RecordRequest {
  readonly identity: RunIdentity;
  readonly experiment: Experiment;
  readonly runId: string;
  readonly runSource: RunSource;
  readonly trialCount: number;
  /** artifact of an arm that has one, and the time that its training and validation data cover */
  readonly scorers: (policy: string) => { digest: string; fitted: TimeSpan } | undefined;
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** The time that an artifact was fitted and validated on. */
export function fittedSpan(windows: {
  readonly search: TimeSpan;
  readonly validation: TimeSpan;
}): TimeSpan {
  return { from: windows.search.from, to: windows.validation.to };
}

/** All records of a run: every arm on validation and on forward OOS. */
export function runRecords(request: RecordRequest): RunRecord[] {
  const { experiment } = request;
  return [...experiment.runs].flatMap(([policy, runs]) =>
    (['validation', 'forward_oos'] as const).map((window) =>
      recordOf(request, policy, window, runs[window]),
    ),
  );
}

function recordOf(
  request: RecordRequest,
  policy: string,
  windowName: string,
  run: ArmRun,
): RunRecord {
  const { identity, experiment } = request;
  const { dataset } = experiment.samples;
  const window = { from: run.from, to: run.to };
  const scorer = request.scorers(policy);
  const source: ScoreSource = scorer === undefined ? 'heuristic' : scoreSource(run.counts);
  const labels = {
    run_source: request.runSource,
    score_source: source,
    data_regime: regimeOf(experiment, window, scorer?.fitted ?? null),
  };
  return {
    run_id: `${request.runId}-${policy}-${windowName}`,
    ...labels,
    status: 'completed',
    config: {
      ...labels,
      policy: policy as RunRecord['config']['policy'],
      data_version: dataset.panel.dataVersion,
      window,
      window_name: windowName,
      trial_count: request.trialCount,
      candidates: candidateCount(identity.config),
      promoted_policy: experiment.promotedPolicy,
      market: marketKey(identity.config),
      config_digest: identity.configDigest,
      feature_version: dataset.featureVersion,
      code_version: identity.code.commit,
      trade: identity.config.trade,
      seed: identity.config.seed,
    },
    metrics: run.metrics,
    lineage_id: identity.lineageId,
    artifact_digest: scorer?.digest ?? null,
    started_at: request.startedAt,
    finished_at: request.finishedAt,
  };
}

function regimeOf(
  { samples }: Experiment,
  evaluation: TimeSpan,
  fitted: TimeSpan | null,
): DataRegime {
  return dataRegime({ sources: sourcesOf(samples.dataset.panel, evaluation), evaluation, fitted });
}

/** Trials on one market and label count together, whatever their features or parameters. */
export function marketKey({ data, label }: RetrainConfig): string {
  return `${data.venue} ${data.timeframe} ${data.symbols.join(',')} h${label.horizon_bars}`;
}
