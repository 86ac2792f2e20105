// The neural stage alone: bars in, a signed network and its training report out. It looks at search and validation and
// never at forward OOS, judges nothing and records no run: that is what a retrain is for.

import { join } from 'node:path';
import { type Clock, digestOf, type Progress, SluiceError, silent } from '../../core/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { ArmWindow, NeuralReport } from '../report/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import { runWindow } from './arms.ts';
import { configDigest, type NeuralConfig, type RetrainConfig, withoutMachine } from './config.ts';
import { engineLineage } from './engine.ts';
import { obtainMarket } from './market.ts';
import { modelVersion, type PlacedArtifact, type RunIdentity, signModel } from './modelArtifact.ts';
import { networkGrid } from './network.ts';
import { type NeuralStage, runNeuralStage } from './neuralStage.ts';
import { originOf, signingKey } from './origin.ts';
import { returnInterval, statisticsOf } from './promotion.ts';
import { prepareSamples, type Samples, windowsOf } from './samples.ts';
import { type Stage, stagedProgress } from './stages.ts';
import { teacherFor } from './teacher.ts';

/** One training of a network. */
export interface TrainRequest {
  readonly config: RetrainConfig;
  readonly dataFolder: string | null;
  /** folder of everything produced */
  readonly out: string;
  /** Unix ms, taken with the precision of a UTC day; default: now */
  readonly asOf?: number | undefined;
  /** null where the config has no network, which is refused */
  readonly engine: TsmixerEngine | null;
  /** where the teacher comes from; null = no teacher, whatever lambdas the config names */
  readonly library: LightgbmLibrary | null;
  /** folder in which the training keeps itself, and goes on from; absent = nowhere */
  readonly checkpoints?: string | undefined;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface TrainedArtifact {
  readonly neural: NeuralReport;
  readonly validation: ArmWindow;
  readonly dataVersion: string;
  readonly artifact: { readonly path: string; readonly digest: string };
}

const stages: readonly Stage[] = [
  ['bars', 10],
  ['network', 80],
  ['sign', 10],
];

/** Trains, signs and publishes. @throws SluiceError `config_invalid` without a `tsmixer` section | what its parts throw */
export async function trainNetwork(request: TrainRequest): Promise<TrainedArtifact> {
  const { out, library, signal } = request;
  const { engine, network } = networkOf(request);
  const stage = stagedProgress(request.progress, stages);
  const privateKeyPem = await signingKey(join(out, 'keys'));
  const market = await obtainMarket({
    config: request.config,
    dataFolder: request.dataFolder,
    store: join(out, 'bars'),
    progress: stage('bars'),
    signal,
  });
  const origin = originOf({ ...request, engineVersion: '' }, market);
  const config: RetrainConfig = { ...origin.config, tsmixer: network };
  const samples = prepareSamples(config, market.panel, signal);
  const context = { samples, folds: config.folds, progress: silent, signal };
  const neural = await runNeuralStage({
    engine,
    config: network,
    samples,
    folds: config.folds,
    teacherFor: (rows) => teacherFor({ ...context, library: library! }, rows, config.gbdt),
    checkpoints: request.checkpoints,
    progress: stage('network'),
    signal,
  });
  const digest = configDigest(config);
  const made = {
    made_by: 'train_tsmixer',
    ...engineLineage(engine),
    config_digest: digest,
    data_version: market.panel.dataVersion,
  };
  const identity: RunIdentity = {
    ...origin,
    config,
    configDigest: digest,
    lineageId: digestOf({ ...made, code: origin.code.digest }),
  };
  stage('sign').update('score', 0);
  const validation = validationOf(config, samples, neural, signal);
  const placed = await signNetwork(out, identity, samples, neural, validation, privateKeyPem);
  return {
    neural: neural.report,
    validation,
    dataVersion: market.panel.dataVersion,
    artifact: { path: join(out, placed.path), digest: placed.digest },
  };
}

/** What is trained and by what; without trees there is no teacher to weigh. */
function networkOf({ config: { tsmixer }, engine, library }: TrainRequest): {
  readonly engine: TsmixerEngine;
  readonly network: NeuralConfig;
} {
  if (tsmixer === null || engine === null) {
    throw new SluiceError(
      'config_invalid',
      'Expected a config with a tsmixer section; found null. Name one, such as configs/default.json.',
    );
  }
  const network = library === null ? { ...tsmixer, teacher_lambdas: [0] } : tsmixer;
  return { engine, network };
}

function validationOf(
  config: RetrainConfig,
  { dataset, spans }: Samples,
  { network }: NeuralStage,
  signal: AbortSignal,
): ArmWindow {
  const grid = networkGrid(dataset, network, [spans.validation], signal);
  const run = runWindow(dataset, { policy: 'nn_only', grid }, spans.validation, config.trade);
  return {
    metrics: run.metrics,
    statistics: statisticsOf(run.metrics, config.tsmixer!.teacher_lambdas.length),
    rank_ic: run.rankIc,
    net_return_per_day: returnInterval(run.metrics, 'nn_only validation', config.seed),
  };
}

async function signNetwork(
  out: string,
  identity: RunIdentity,
  samples: Samples,
  { network, report }: NeuralStage,
  validation: ArmWindow,
  privateKeyPem: string,
): Promise<PlacedArtifact> {
  const { config, configDigest: config_digest, lineageId } = identity;
  const { dataset, spans } = samples;
  const { from, to } = spans.validation;
  const chosen = report.lambda_candidates.find(({ lambda }) => lambda === report.lambda)!;
  const metrics = { rank_ic: chosen.rank_ic, validation_loss: chosen.validation_loss };
  return signModel(
    out,
    identity,
    {
      name: `${config.name}_nn`,
      trees: null,
      network,
      alpha: 0,
      dataset,
      windows: windowsOf(samples),
      foldMetrics: [{ fold: 0, from, to, metrics }],
      promotedPolicy: null,
      trialCount: config.tsmixer!.teacher_lambdas.length,
      trainReport: {
        train_report_version: 1,
        run_id: `${config.name}_nn-${modelVersion(identity)}`,
        lineage_id: lineageId,
        config: withoutMachine(config),
        config_digest,
        data_version: dataset.panel.dataVersion,
        feature_version: dataset.featureVersion,
        seed: config.tsmixer!.seed,
        windows: windowsOf(samples),
        neural: report,
        validation,
      },
      validDays: config.valid_days,
    },
    privateKeyPem,
  );
}
