// From samples to judged arms: folds, fits, backtests, rules. Writes nothing.

import { blendPolicy, type Policy, type Progress } from '../../core/index.ts';
import { type Dataset, datasetDigest } from '../../data/dataset/index.ts';
import type { FeatureSpec } from '../../data/feature/index.ts';
import { scorePanel } from '../../models/backtest/index.ts';
import type { Scorer } from '../../models/score/index.ts';
import type { GbdtModel } from '../gbdt/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { ArmReport, ArmWindow, CalibrationBin, EnsembleReport } from '../report/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import type { Spans } from '../validate/index.ts';
import { type Arm, type ArmRun, type ArmRuns, runArm, scoresOfRows } from './arms.ts';
import type { RetrainConfig } from './config.ts';
import { chooseAlpha, policyArm } from './ensemble.ts';
import {
  type CrossValidation,
  crossValidate,
  type FitContext,
  fitFinal,
  fitRidgeOn,
} from './fit.ts';
import { networkGrid } from './network.ts';
import { type NeuralStage, runNeuralStage, type TeacherFor } from './neuralStage.ts';
import { judgePolicies, returnInterval, statisticsOf } from './promotion.ts';
import type { Samples } from './samples.ts';
import { calibrationBins } from './skill.ts';
import { teacherFor } from './teacher.ts';
import { walkForwardArms } from './walkForwardArms.ts';

/** What an experiment is made of. */
export interface ExperimentRequest {
  readonly config: RetrainConfig;
  readonly samples: Samples;
  readonly library: LightgbmLibrary;
  /** what trains the network; null where the config has no neural stage */
  readonly engine: TsmixerEngine | null;
  readonly frozenBaseline: Scorer;
  /** policies ever compared on this market, this run's among them */
  readonly trialCount: number;
  /** progress of a stage: `trees`, `network`, `arms` or `walk-forward` */
  readonly stage: (name: string) => Progress;
  readonly signal: AbortSignal;
}

/** A finished experiment. The model must be closed by the caller. */
export interface Experiment {
  readonly samples: Samples;
  readonly datasetDigest: string;
  readonly validation: CrossValidation;
  readonly model: GbdtModel;
  /** null = no neural stage, and then no ensemble */
  readonly neural: NeuralStage | null;
  readonly ensemble: EnsembleReport | null;
  readonly runs: ReadonlyMap<string, ArmRuns>;
  readonly arms: readonly ArmReport[];
  readonly promotedPolicy: Policy | null;
  readonly calibration: { validation: CalibrationBin[]; forward_oos: CalibrationBin[] };
  readonly importance: readonly { name: string; gain: number; split: number }[];
}

/** Runs the experiment. @throws SluiceError `out_of_range` if the data are too short | `cancelled` | what the fits throw */
export async function runExperiment(request: ExperimentRequest): Promise<Experiment> {
  const { config, samples, library, stage, signal } = request;
  const { dataset, spans } = samples;
  const context = { library, samples, folds: config.folds, progress: stage('trees'), signal };
  const validation = await crossValidate(context, config.gbdt);
  const model = await fitFinal(context, dataset, spans.search.rows, config.gbdt, validation.rounds);
  try {
    const teacher = teacherOnce({ ...context, progress: stage('network') }, config, validation);
    const neural = await neuralOf(request, context, teacher, stage('network'));
    stage('arms').update('score', 0);
    const { arms, ensemble } = scoreArms(request, model, neural);
    const runs = new Map(
      arms.map((arm) => [arm.policy, runArm(dataset, arm, spans, config.trade)]),
    );
    const walkForward = await walkForwardArms({
      config,
      context: { ...context, progress: stage('walk-forward') },
      folds: validation.walkForward,
      neural,
      alpha: ensemble?.alpha ?? 1,
      teacherFor: teacher,
    });
    return {
      samples,
      datasetDigest: datasetDigest(dataset),
      validation,
      model,
      neural,
      ensemble,
      runs,
      ...judgeArms(request, runs, walkForward),
      calibration: calibrationOf(dataset, arms[0]!, spans),
      importance: importanceOf(dataset.featureSpec, model),
    };
  } catch (error) {
    model.close();
    throw error;
  }
}

/** Teachers of the search rows are the predictions that cross-validation has made; others are made when asked for. */
function teacherOnce(
  context: FitContext,
  { gbdt }: RetrainConfig,
  { outOfFold }: CrossValidation,
): TeacherFor {
  const search = context.samples.spans.search.rows;
  return async (rows) => (rows === search ? outOfFold : teacherFor(context, rows, gbdt));
}

async function neuralOf(
  { config, engine, samples }: ExperimentRequest,
  { folds, signal }: FitContext,
  teacher: TeacherFor,
  progress: Progress,
): Promise<NeuralStage | null> {
  if (config.tsmixer === null || engine === null) return null;
  return runNeuralStage({
    engine,
    config: config.tsmixer,
    samples,
    folds,
    teacherFor: teacher,
    progress,
    signal,
  });
}

/** The model first. Scores are those of `scorePanel`: labels have no say in where a decision is made. */
function scoreArms(
  { config, samples, frozenBaseline, signal }: ExperimentRequest,
  model: GbdtModel,
  neural: NeuralStage | null,
): { arms: Arm[]; ensemble: EnsembleReport | null } {
  const { dataset, spans } = samples;
  const { featureSpec, panel } = dataset;
  const trees: Scorer = { featureCount: model.featureCount, score: model.predict };
  const ridge = fitRidgeOn(samples, spans.search.rows, config);
  const [tabular, linear] = scorePanel(featureSpec, [trees, ridge], panel, signal);
  const baselineSpec = samples.baselineDataset.featureSpec;
  const [baseline] = scorePanel(baselineSpec, [frozenBaseline], panel, signal);
  const { arms, ensemble } = networkArms(config, samples, tabular!, neural, signal);
  return {
    ensemble,
    arms: [
      { policy: 'tabular_only', grid: tabular! },
      ...arms,
      { policy: 'frozen_baseline', grid: baseline! },
      { policy: 'ridge', grid: linear! },
      { policy: 'zero', grid: tabular!.map((score) => (Number.isNaN(score) ? score : 0)) },
    ],
  };
}

/** The network alone and blended with the trees; it scores only the bars of validation and forward OOS. */
function networkArms(
  config: RetrainConfig,
  { dataset, spans }: Samples,
  tabular: Float64Array,
  neural: NeuralStage | null,
  signal: AbortSignal,
): { arms: Arm[]; ensemble: EnsembleReport | null } {
  if (neural === null) return { arms: [], ensemble: null };
  const nn = networkGrid(dataset, neural.network, [spans.validation, spans.forward_oos], signal);
  const parts = { tabular, nn };
  const { alphas } = config.ensemble;
  const choice = chooseAlpha(dataset, spans.validation, parts, alphas, config.trade);
  return {
    arms: [policyArm('nn_only', parts), policyArm(blendPolicy(choice.alpha), parts)],
    ensemble: { alpha: choice.alpha, alpha_candidates: choice.candidates },
  };
}

function judgeArms(
  { config, trialCount }: ExperimentRequest,
  runs: ReadonlyMap<string, ArmRuns>,
  walkForward: ReadonlyMap<string, ArmRun>,
): Pick<Experiment, 'arms' | 'promotedPolicy'> {
  const { promotion, seed } = config;
  const { verdicts, promotedPolicy } = judgePolicies(runs, promotion, trialCount, seed);
  const windowOf = (policy: string, window: string, { metrics, rankIc }: ArmRun): ArmWindow => ({
    metrics,
    statistics: statisticsOf(metrics, trialCount),
    rank_ic: rankIc,
    net_return_per_day: returnInterval(metrics, `${policy} ${window}`, seed),
  });
  const arms = [...runs].map(([policy, run]): ArmReport => {
    const verdict = verdicts.get(policy);
    return {
      policy,
      validation: windowOf(policy, 'validation', run.validation),
      forward_oos: windowOf(policy, 'forward_oos', run.forward_oos),
      walk_forward: windowOf(policy, 'walk_forward', walkForward.get(policy)!),
      promoted: verdict?.promoted ?? null,
      reasons: verdict?.reasons ?? [],
      checks: verdict?.checks ?? [],
    };
  });
  return { arms, promotedPolicy };
}

function calibrationOf(dataset: Dataset, { grid }: Arm, spans: Spans): Experiment['calibration'] {
  const bins = (rows: Int32Array) =>
    calibrationBins(
      scoresOfRows(dataset, grid, rows),
      Float32Array.from(rows, (row) => dataset.labels[row]!),
    );
  return { validation: bins(spans.validation.rows), forward_oos: bins(spans.forward_oos.rows) };
}

/** Shares of total gain, largest first. */
function importanceOf(spec: FeatureSpec, model: GbdtModel): Experiment['importance'] {
  const { gain, split } = model.importance();
  const total = gain.reduce((sum, value) => sum + value, 0) || 1;
  return spec.entries
    .map(({ name }, i) => ({ name, gain: gain[i]! / total, split: split[i]! }))
    .sort((a, b) => b.gain - a.gain);
}
