// The main job: bars, experiment, signed artifact, run records with the gate's verdict, report. A killed process
// leaves at most a whole signed folder that nobody registered; the next run finds it and goes on.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Clock,
  digestOf,
  type Progress,
  policySchema,
  type RunSource,
  SluiceError,
  sweepStaging,
} from '../../core/index.ts';
import type { Database } from '../../data/store/index.ts';
import { writeLatestArtifact } from '../../models/artifact/index.ts';
import { checkRunSource } from '../../models/backtest/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { RetrainReport } from '../report/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import { configDigest, type RetrainConfig } from './config.ts';
import { engineLineage } from './engine.ts';
import { type Experiment, runExperiment } from './experiment.ts';
import { type FrozenBaseline, obtainBaseline } from './frozenBaseline.ts';
import { type Market, obtainMarket } from './market.ts';
import { modelVersion, type PlacedArtifact, type RunIdentity, signModel } from './modelArtifact.ts';
import { type Origin, originOf, signingKey } from './origin.ts';
import { reportOf, writeReport } from './reportDocument.ts';
import { fittedSpan, runRecords } from './runRecords.ts';
import { prepareSamples, windowsOf } from './samples.ts';
import { type Stage, stagedProgress } from './stages.ts';
import { countTrials, type Judge, storeRun } from './storedRun.ts';
import { foldMetrics, trainReport } from './trainReport.ts';

/** One retrain. */
export interface RetrainRequest {
  readonly config: RetrainConfig;
  readonly dataFolder: string | null;
  /** folder of everything produced */
  readonly out: string;
  /** Unix ms, taken with the precision of a UTC day; default: now */
  readonly asOf?: number | undefined;
  readonly library: LightgbmLibrary;
  /** of LightGBM */
  readonly engineVersion: string;
  /** what trains the network; null where the config has no neural stage */
  readonly engine: TsmixerEngine | null;
  readonly db: Database;
  readonly judge: Judge;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Shares of the time, measured on a typical run. */
const stagesOf = ({ tsmixer }: RetrainConfig): readonly Stage[] => [
  ['bars', 10],
  ['trees', 30],
  ...(tsmixer === null ? [] : [['network', 35] as const]),
  ['arms', 5],
  ['walk-forward', 15],
  ['record', 5],
];

/** Runs the main job. @returns the report and where its HTML lies */
export async function retrain(
  request: RetrainRequest,
): Promise<{ report: RetrainReport; htmlPath: string }> {
  const { db, clock, out, library, signal } = request;
  const startedAt = clock();
  const stage = stagedProgress(request.progress, stagesOf(request.config));
  sweepLeftovers(out);
  const privateKeyPem = await signingKey(join(out, 'keys'));
  const market = await obtainMarket({
    config: request.config,
    dataFolder: request.dataFolder,
    store: join(out, 'bars'),
    progress: stage('bars'),
    signal,
  });
  const origin = originOf(request, market);
  const { config } = origin;
  const runSource = runSourceOf(config.run_source, origin.code.dirty, market);
  const progress = stage('trees');
  progress.update('features', 0);
  const samples = prepareSamples(config, market.panel, signal);
  const common = { config, market, samples, origin, db, out, privateKeyPem, library, signal };
  const baseline = await obtainBaseline({ ...common, progress });
  const trialCount = await countTrials(db, config);
  const identity = identityOf(origin, market, baseline, trialCount);
  const experiment = await runExperiment({
    ...common,
    engine: request.engine,
    frozenBaseline: baseline.scorer,
    trialCount,
    stage,
  });
  try {
    stage('record').update('sign', 0);
    const model = await signCandidate(out, identity, experiment, trialCount, privateKeyPem);
    const runId = `${config.name}-${modelVersion(identity)}`;
    const own = { digest: model.digest, fitted: fittedSpan(windowsOf(samples)) };
    stage('record').update('store', 0.5);
    const stored = await storeRun({
      db,
      clock,
      judge: request.judge,
      identity,
      market,
      runId,
      records: runRecords({
        identity,
        experiment,
        runId,
        runSource,
        trialCount,
        scorers: (policy) =>
          policy === 'frozen_baseline' ? baseline : isPolicy(policy) ? own : undefined,
        startedAt,
        finishedAt: clock(),
      }),
      model,
      promotedPolicy: experiment.promotedPolicy,
      newBaseline: baseline.placed,
      forwardOos: { from: samples.spans.forward_oos.from, to: samples.spans.forward_oos.to },
    });
    const report = reportOf({
      identity,
      market,
      experiment,
      runSource,
      runId,
      ...stored,
      artifact: { path: join(out, model.path), digest: model.digest },
      baselineDigest: baseline.digest,
      startedAt,
      finishedAt: clock(),
    });
    writeLatestArtifact(
      out,
      { path: model.path, digest: model.digest },
      experiment.promotedPolicy !== null,
    );
    return { report, htmlPath: writeReport(out, report) };
  } finally {
    experiment.model.close();
  }
}

const isPolicy = (name: string): boolean => policySchema.safeParse(name).success;

/** Removes what killed runs left in preparation; the rooms of data sweep `bars` and `db` themselves. */
function sweepLeftovers(out: string): void {
  const models = join(out, 'models');
  const names = existsSync(models) ? readdirSync(models) : [];
  for (const folder of [out, join(out, 'reports'), ...names.map((name) => join(models, name))]) {
    sweepStaging(folder);
  }
}

function identityOf(
  origin: Origin,
  market: Market,
  { treesDigest }: FrozenBaseline,
  trialCount: number,
): RunIdentity {
  const config_digest = configDigest(origin.config);
  const data_version = market.panel.dataVersion;
  const { networkEngine: engine } = origin;
  const made = {
    ...{ config_digest, data_version, baseline: treesDigest, trials: trialCount },
    ...(engine === null ? {} : engineLineage(engine)),
  };
  return {
    ...origin,
    configDigest: config_digest,
    lineageId: digestOf({ ...made, code: origin.code.digest }),
  };
}

/** Simulated data force `smoke`; `prod` is refused with every reason at once. */
function runSourceOf(declared: RunSource, dirtyTree: boolean, market: Market): RunSource {
  const simulated = market.panel.sources.some(({ venue }) => venue === 'simulator');
  const facts = { simulated, dirtyTree, signed: true, registered: true };
  const verdict = checkRunSource(declared, facts);
  if (verdict.ok) return verdict.runSource;
  const { violations } = verdict;
  const message = `run_source ${declared} is refused: ${violations.join('; ')}.`;
  throw new SluiceError('input_invalid', message, { violations });
}

async function signCandidate(
  out: string,
  identity: RunIdentity,
  experiment: Experiment,
  trialCount: number,
  privateKeyPem: string,
): Promise<PlacedArtifact> {
  const { config } = identity;
  const toSign = {
    name: config.name,
    trees: experiment.model,
    network: experiment.neural?.network ?? null,
    alpha: experiment.ensemble?.alpha ?? 1,
    dataset: experiment.samples.dataset,
    windows: windowsOf(experiment.samples),
    foldMetrics: foldMetrics(experiment),
    promotedPolicy: experiment.promotedPolicy,
    trialCount,
    trainReport: trainReport(identity, experiment),
    validDays: config.valid_days,
  };
  return signModel(out, identity, toSign, privateKeyPem);
}
