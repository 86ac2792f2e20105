// The command `backtest`: one artifact over stored bars, judged by the same engine as in training, recorded as a run
// whose labels are computed. A run that breaks a rule of evidence is refused, not relabelled.

import { join } from 'node:path';
import {
  type CommandIo,
  type CommandResult,
  type DataRegime,
  digestOf,
  isoTime,
  type Policy,
  parseTimeframe,
  type RunMetrics,
  type RunRecord,
  type RunSource,
  readCodeVersion,
  SluiceError,
} from '../core/index.ts';
import { type FeatureSpec, parseFeatureSpec } from '../data/feature/index.ts';
import { type BarPanel, loadPanel } from '../data/market/index.ts';
import {
  type Database,
  findModel,
  finishedRuns,
  openDatabase,
  recordRuns,
} from '../data/store/index.ts';
import { type OpenedArtifact, openArtifact, readKeyFile } from './artifact/index.ts';
import {
  checkRunSource,
  countDecisions,
  dataRegime,
  ownScores,
  policyScores,
  runBacktest,
  scorePanel,
  scoreSequences,
  scoreSource,
  sourcesOf,
  summariseRun,
  type TimeSpan,
} from './backtest/index.ts';
import { sequenceScorer, treeScorer } from './score/index.ts';

/** Options of `backtest`. */
export interface BacktestOptions {
  readonly artifact: string;
  /** one bar store, as `data import` prints it */
  readonly data: string;
  /** default: the promoted one; without one the first that the artifact allows */
  readonly policy?: Policy;
  readonly runSource: RunSource;
  /** what the caller expects; the run is refused if it is not so */
  readonly dataRegime?: DataRegime;
  /** first and last decision, Unix ms; default: all stored bars */
  readonly from?: number;
  readonly to?: number;
  readonly key?: string;
  readonly out: string;
}

/** Runs and records. @throws SluiceError `input_invalid` (artifact, policy, labels) | what data and database throw */
export async function backtest(options: BacktestOptions, io: CommandIo): Promise<CommandResult> {
  const startedAt = io.clock();
  const artifact = openTrusted(options, startedAt);
  const policy = choosePolicy(artifact, options.policy);
  const panel = await panelFor(artifact, options.data);
  const spec = parseFeatureSpec(artifact.manifest.feature_spec);
  const window = windowOf(options, panel, lookbackOf(artifact, spec, policy));
  io.progress.update('score', 0.1);
  const parts = scoreParts(artifact, spec, policy, panel, window, io.signal);
  io.progress.update('backtest', 0.8);
  const result = runBacktest({
    panel,
    scores: policyScores(policy, ...parts),
    fromMs: window.from,
    toMs: window.to,
    trade: artifact.manifest.trade,
  });
  const metrics = summariseRun(result, panel.timeframeMs);
  const db = await openDatabase({
    url: io.env.DATABASE_URL,
    folder: join(options.out, 'db'),
    clock: io.clock,
  });
  try {
    const registered = (await findModel(db, artifact.digest)) !== undefined;
    const record = recordOf({
      options,
      artifact,
      policy,
      panel,
      window,
      own: ownScores(policy, ...parts),
      metrics,
      registered,
      startedAt,
      finishedAt: io.clock(),
    });
    await recordOnce(db, record);
    return answer(record, metrics);
  } finally {
    await db.close();
  }
}

function openTrusted({ artifact, key, out }: BacktestOptions, nowMs: number): OpenedArtifact {
  const publicKeysPem = [readKeyFile(key ?? join(out, 'keys', 'signing.pub.pem'))];
  const verdict = openArtifact(artifact, { publicKeysPem, nowMs });
  if (verdict.ok) return verdict.artifact;
  const why = verdict.violations.map(({ message }) => message).join(' ');
  throw new SluiceError('input_invalid', `${artifact} is refused: ${why}`, {
    violations: verdict.violations,
  });
}

function choosePolicy({ manifest }: OpenedArtifact, asked: Policy | undefined): Policy {
  const { policies_allowed, policy: promoted } = manifest;
  const policy = asked ?? promoted ?? policies_allowed[0]!;
  if (policies_allowed.includes(policy)) return policy;
  throw new SluiceError(
    'input_invalid',
    `The artifact allows ${policies_allowed.join(', ')}; asked for ${policy}.`,
  );
}

/** Bars that a score of the policy itself depends on. */
function lookbackOf({ network }: OpenedArtifact, spec: FeatureSpec, policy: Policy): number {
  const tokens = policy === 'tabular_only' || network === null ? 1 : network.weights.shape.nTokens;
  return spec.lookbackBars + tokens - 1;
}

/** The trees score whatever the policy, since it may fall back on them; the network only if it has a say. */
function scoreParts(
  { trees, network }: OpenedArtifact,
  spec: FeatureSpec,
  policy: Policy,
  panel: BarPanel,
  window: TimeSpan,
  signal: AbortSignal,
): [tabular: Float64Array | null, nn: Float64Array | null] {
  const tabular = trees === null ? null : scorePanel(spec, [treeScorer(trees)], panel, signal)[0]!;
  if (network === null || policy === 'tabular_only') return [tabular, null];
  const channels = network.channels.map(({ name }) => name);
  const scorer = sequenceScorer(network);
  return [tabular, scoreSequences(spec, channels, scorer, panel, window, signal)];
}

async function panelFor({ manifest }: OpenedArtifact, storePath: string): Promise<BarPanel> {
  const panel = await loadPanel({ storePath, symbols: manifest.symbols });
  if (panel.timeframeMs === parseTimeframe(manifest.timeframe)) return panel;
  throw new SluiceError(
    'input_invalid',
    `The artifact is made for bars of ${manifest.timeframe}; ${storePath} holds bars of ${panel.timeframeMs / 60_000} min.`,
  );
}

/** Without a given start, the first bar that can be scored; an earlier start is honoured, and makes the run a fallback. */
function windowOf({ from, to }: BacktestOptions, panel: BarPanel, lookbackBars: number): TimeSpan {
  const end = panel.openMs.at(-1)! + panel.timeframeMs;
  const scorable = panel.openMs[Math.min(lookbackBars, panel.openMs.length) - 1]!;
  const window = {
    from: Math.max(from ?? scorable, panel.openMs[0]!),
    to: Math.min(to ?? end, end),
  };
  if (window.from < window.to) return window;
  throw new SluiceError(
    'out_of_range',
    `No stored bar lies in the window; the bars run from ${isoTime(panel.openMs[0]!)} to ${isoTime(end)}.`,
  );
}

interface RecordParts {
  readonly options: BacktestOptions;
  readonly artifact: OpenedArtifact;
  readonly policy: Policy;
  readonly panel: BarPanel;
  readonly window: TimeSpan;
  /** [S*T] scores of the policy itself, without what it fell back on */
  readonly own: Float64Array;
  readonly metrics: RunMetrics;
  readonly registered: boolean;
  readonly startedAt: number;
  readonly finishedAt: number;
}

function recordOf(parts: RecordParts): RunRecord {
  const { options, artifact, policy, panel, window, metrics } = parts;
  const { manifest, digest } = artifact;
  const code = readCodeVersion();
  const sources = sourcesOf(panel, window);
  const simulated = sources.some(({ venue }) => venue === 'simulator');
  const facts = { simulated, dirtyTree: code.dirty, signed: true, registered: parts.registered };
  const source = checkRunSource(options.runSource, facts);
  if (!source.ok) throw refusedRun(source.violations);
  const fitted = { from: manifest.windows.search.from, to: manifest.windows.validation.to };
  const regime = dataRegime({ sources, evaluation: window, fitted });
  if (options.dataRegime !== undefined && options.dataRegime !== regime) {
    throw refusedRun([`data_regime is computed as ${regime}, expected was ${options.dataRegime}`]);
  }
  const labels = {
    run_source: source.runSource,
    score_source: scoreSource(countDecisions(panel, parts.own, window)),
    data_regime: regime,
  } as const;
  const config = {
    ...labels,
    policy,
    data_version: panel.dataVersion,
    window,
    trial_count: manifest.trial_count,
    config_digest: manifest.lineage.config_digest,
    feature_version: manifest.feature_version,
    code_version: code.commit,
    trade: manifest.trade,
    seed: manifest.seed,
  };
  return {
    run_id: `backtest-${digestOf({ config, digest }).slice(0, 20)}`,
    ...labels,
    status: 'completed',
    config,
    metrics,
    lineage_id: manifest.lineage_id,
    artifact_digest: digest,
    started_at: parts.startedAt,
    finished_at: parts.finishedAt,
  };
}

const refusedRun = (violations: readonly string[]): SluiceError =>
  new SluiceError('input_invalid', `The run is refused: ${violations.join('; ')}.`, { violations });

/** The same run once more is the same record. */
async function recordOnce(db: Database, record: RunRecord): Promise<void> {
  const known = await finishedRuns(db, { runIds: [record.run_id] });
  if (known.length === 0) await db.transaction((tx) => recordRuns(tx, [record]));
}

function answer(record: RunRecord, metrics: RunMetrics): CommandResult {
  const { run_id, config, run_source, data_regime } = record;
  const { from, to } = config.window;
  const text = [
    `${run_id}: ${config.policy}, ${isoTime(from)} to ${isoTime(to)}, run_source ${run_source}, data_regime ${data_regime}`,
    `net return ${(100 * metrics.total_return).toFixed(2)} %, sharpe_daily ${metrics.sharpe_daily.toFixed(3)} over ${metrics.observation_days} days, max drawdown ${(100 * metrics.max_drawdown).toFixed(2)} %, reject rate ${(100 * metrics.reject_rate).toFixed(2)} %`,
  ].join('\n');
  return { json: { run_id, config, metrics }, text, exit: 0 };
}
