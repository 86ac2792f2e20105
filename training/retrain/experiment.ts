// From samples to judged arms: folds, fits, backtests, rules. Writes nothing.

import type { Progress } from '../../core/index.ts';
import { type Dataset, datasetDigest } from '../../data/dataset/index.ts';
import type { FeatureSpec } from '../../data/feature/index.ts';
import { scorePanel } from '../../models/backtest/index.ts';
import type { Scorer } from '../../models/score/index.ts';
import { fitRidge } from '../baseline/index.ts';
import type { GbdtModel } from '../gbdt/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { ArmReport, CalibrationBin } from '../report/index.ts';
import { liftFold, purgedKFold, type Spans, selectIntervals } from '../validate/index.ts';
import { type Arm, type ArmRuns, runArm, scoresOfRows } from './arms.ts';
import type { RetrainConfig } from './config.ts';
import { type CrossValidation, crossValidate, fitFinal } from './fit.ts';
import { brokenRules, checkPromotion, statisticsOf } from './promotion.ts';
import type { Samples } from './samples.ts';
import { calibrationBins } from './skill.ts';

/** What an experiment is made of. */
export interface ExperimentRequest {
  readonly config: RetrainConfig;
  readonly samples: Samples;
  readonly library: LightgbmLibrary;
  readonly frozenBaseline: Scorer;
  /** configs ever tried on this market, this one among them */
  readonly trialCount: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A finished experiment. The model must be closed by the caller. */
export interface Experiment {
  readonly samples: Samples;
  readonly datasetDigest: string;
  readonly validation: CrossValidation;
  readonly model: GbdtModel;
  readonly runs: ReadonlyMap<string, ArmRuns>;
  readonly arms: readonly ArmReport[];
  readonly promotedPolicy: 'tabular_only' | null;
  readonly calibration: { validation: CalibrationBin[]; forward_oos: CalibrationBin[] };
  readonly importance: readonly { name: string; gain: number; split: number }[];
}

/** Runs the experiment. @throws SluiceError `out_of_range` if the data are too short | `cancelled` | what the fits throw */
export async function runExperiment(request: ExperimentRequest): Promise<Experiment> {
  const { config, samples, library, progress, signal } = request;
  const { dataset, spans } = samples;
  const context = { library, samples, folds: config.folds, progress, signal };
  const validation = await crossValidate(context, config.gbdt);
  progress.update('final fit', 0.9);
  const model = await fitFinal(context, dataset, spans.search.rows, config.gbdt, validation.rounds);
  progress.update('arms', 0.95);
  const arms = scoreArms(request, model, fitSearchRidge(samples, config));
  const runs = new Map(arms.map((arm) => [arm.policy, runArm(dataset, arm, spans, config.trade)]));
  return {
    samples,
    datasetDigest: datasetDigest(dataset),
    validation,
    model,
    runs,
    ...judgeArms(request, runs),
    calibration: calibrationOf(dataset, arms[0]!, spans),
    importance: importanceOf(dataset.featureSpec, model),
  };
}

/** The model first. Scores are those of `scorePanel`: labels have no say in where a decision is made. */
function scoreArms(
  { samples, frozenBaseline, signal }: ExperimentRequest,
  model: GbdtModel,
  ridge: Scorer,
): Arm[] {
  const { featureSpec, panel } = samples.dataset;
  const trees: Scorer = { featureCount: model.featureCount, score: model.predict };
  const [own, linear] = scorePanel(featureSpec, [trees, ridge], panel, signal);
  const baselineSpec = samples.baselineDataset.featureSpec;
  const [baseline] = scorePanel(baselineSpec, [frozenBaseline], panel, signal);
  return [
    { policy: 'tabular_only', grid: own! },
    { policy: 'frozen_baseline', grid: baseline! },
    { policy: 'ridge', grid: linear! },
    { policy: 'zero', grid: own!.map((score) => (Number.isNaN(score) ? score : 0)) },
  ];
}

function fitSearchRidge({ dataset, intervals, embargoMs, spans }: Samples, config: RetrainConfig) {
  const { rows } = spans.search;
  const folds = purgedKFold(selectIntervals(intervals, rows), {
    folds: config.folds.purged_k,
    embargoMs,
  });
  return fitRidge({
    features: dataset.features,
    labels: dataset.labels,
    featureCount: dataset.featureSpec.entries.length,
    rows,
    folds: folds.map((fold) => liftFold(fold, rows)),
    lambdas: config.ridge_lambdas,
  });
}

function judgeArms(
  { config, trialCount }: ExperimentRequest,
  runs: ReadonlyMap<string, ArmRuns>,
): Pick<Experiment, 'arms' | 'promotedPolicy'> {
  const checks = checkPromotion(
    runs.get('tabular_only')!,
    runs.get('frozen_baseline')!,
    config.promotion,
    trialCount,
    config.seed,
  );
  const promoted = checks.every((check) => check.passed);
  const arms = [...runs].map(([policy, run]): ArmReport => {
    const judged = policy === 'tabular_only';
    return {
      policy,
      validation: armWindow(run, 'validation', trialCount),
      forward_oos: armWindow(run, 'forward_oos', trialCount),
      promoted: judged ? promoted : null,
      reasons: judged ? brokenRules(checks) : [],
      checks: judged ? checks : [],
    };
  });
  return { arms, promotedPolicy: promoted ? 'tabular_only' : null };
}

function armWindow(run: ArmRuns, window: 'validation' | 'forward_oos', trialCount: number) {
  const { metrics, rankIc } = run[window];
  return { metrics, statistics: statisticsOf(metrics, trialCount), rank_ic: rankIc };
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
