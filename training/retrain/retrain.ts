// The main job: bars, experiment, signed artifact, run records with the gate's verdict, report. A killed process
// leaves at most a whole signed folder that nobody registered; the next run finds it and goes on.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Clock,
  dayMs,
  digestOf,
  type Progress,
  publishFolder,
  type RunSource,
  readCodeVersion,
  SluiceError,
  sweepStaging,
} from '../../core/index.ts';
import type { Database } from '../../data/store/index.ts';
import { createKeyFiles, readKeyFile, writeLatestArtifact } from '../../models/artifact/index.ts';
import { checkRunSource } from '../../models/backtest/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { RetrainReport } from '../report/index.ts';
import { configDigest, type RetrainConfig } from './config.ts';
import { type Experiment, runExperiment } from './experiment.ts';
import { type FrozenBaseline, obtainBaseline } from './frozenBaseline.ts';
import { type Market, obtainMarket } from './market.ts';
import { modelVersion, type PlacedArtifact, type RunIdentity, signModel } from './modelArtifact.ts';
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
  readonly engineVersion: string;
  readonly db: Database;
  readonly judge: Judge;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

const stages: readonly Stage[] = [
  ['bars', 10],
  ['train', 80],
  ['record', 10],
];

/** Runs the main job. @returns the report and where its HTML lies */
export async function retrain(
  request: RetrainRequest,
): Promise<{ report: RetrainReport; htmlPath: string }> {
  const { db, clock, out, library, signal } = request;
  const startedAt = clock();
  const stage = stagedProgress(request.progress, stages);
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
  const progress = stage('train');
  progress.update('features', 0);
  const samples = prepareSamples(config, market.panel, signal);
  const common = { config, market, samples, origin, db, out, privateKeyPem, library, signal };
  const baseline = await obtainBaseline({ ...common, progress });
  const trialCount = await countTrials(db, config, configDigest(config));
  const identity = identityOf(origin, market, baseline, trialCount);
  const experiment = await runExperiment({
    ...common,
    frozenBaseline: baseline.scorer,
    trialCount,
    progress,
  });
  try {
    stage('record').update('sign', 0);
    const model = await signCandidate(out, identity, experiment, trialCount, privateKeyPem);
    const runId = `${config.name}-${modelVersion(identity)}`;
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
        scorers: {
          tabular_only: { digest: model.digest, fitted: fittedSpan(windowsOf(samples)) },
          frozen_baseline: baseline,
        },
        startedAt,
        finishedAt: clock(),
      }),
      model,
      promoted: experiment.promotedPolicy !== null,
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

/** Removes what killed runs left in preparation; the rooms of data sweep `bars` and `db` themselves. */
function sweepLeftovers(out: string): void {
  const models = join(out, 'models');
  const names = existsSync(models) ? readdirSync(models) : [];
  for (const folder of [out, join(out, 'reports'), ...names.map((name) => join(models, name))]) {
    sweepStaging(folder);
  }
}

/** The signing key of a folder, made if there is none: both halves of the pair appear at once. */
async function signingKey(folder: string): Promise<string> {
  if (!existsSync(folder)) await publishFolder(folder, async (staging) => createKeyFiles(staging));
  return readKeyFile(join(folder, 'signing.key.pem'));
}

type Origin = Omit<RunIdentity, 'lineageId' | 'configDigest'>;

function originOf(request: RetrainRequest, market: Market): Origin {
  return {
    config: effectiveConfig(request.config, market),
    code: readCodeVersion(),
    asOf: Math.floor((request.asOf ?? request.clock()) / dayMs) * dayMs,
    engineVersion: request.engineVersion,
  };
}

function identityOf(
  origin: Origin,
  market: Market,
  { treesDigest }: FrozenBaseline,
  trialCount: number,
): RunIdentity {
  const config_digest = configDigest(origin.config);
  const data_version = market.panel.dataVersion;
  const made = { config_digest, data_version, baseline: treesDigest, trials: trialCount };
  return {
    ...origin,
    configDigest: config_digest,
    lineageId: digestOf({ ...made, code: origin.code.digest }),
  };
}

/** Settings of the simulator mean nothing to a run on files, and names of files nothing to the simulator or a store. */
function effectiveConfig(config: RetrainConfig, market: Market): RetrainConfig {
  const { origin, panel, stored } = market;
  const symbols = [...panel.symbols];
  const files = origin === 'files' ? config.data.files : [origin];
  const simulator =
    origin === 'simulator' ? config.data.simulator : { seed: 0, symbols: 1, days: 60, alpha: 0 };
  return { ...config, data: { ...config.data, files, symbols, venue: stored.venue, simulator } };
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
    model: experiment.model,
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
