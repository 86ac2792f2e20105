// Fits trees on rows of the dataset: inside folds with their own early stopping, and once for good.

import { availableParallelism } from 'node:os';
import { type Progress, SluiceError, silent } from '../../core/index.ts';
import type { Dataset } from '../../data/dataset/index.ts';
import { fitRidge, type RidgeModel } from '../baseline/index.ts';
import { fitGbdt, type GbdtModel, type GbdtParams } from '../gbdt/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { FoldReport } from '../report/index.ts';
import {
  assemblePath,
  auditFold,
  combinatorialPurgedCv,
  type Fold,
  liftFold,
  purgedKFold,
  selectIntervals,
  walkForward,
} from '../validate/index.ts';
import type { RetrainConfig } from './config.ts';
import type { Samples, SearchSamples } from './samples.ts';
import { r2AgainstZero, rankCorrelation } from './skill.ts';

/** What the fit of a fold needs. */
export interface FoldContext {
  readonly library: LightgbmLibrary;
  readonly samples: SearchSamples;
  readonly folds: RetrainConfig['folds'];
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What every fit needs. */
export interface FitContext extends FoldContext {
  readonly samples: Samples;
}

/** Cross-validation of one set of parameters inside the search span. */
export interface CrossValidation {
  readonly folds: readonly FoldReport[];
  readonly cpcvPaths: readonly { path: number; rank_ic: number; r2: number }[];
  /** [n] prediction of the model that did not see the row; NaN where no purged k-fold model tested it */
  readonly outOfFold: Float64Array;
  /** the walk-forward folds, in rows of the dataset, with the predictions of their test rows */
  readonly walkForward: readonly { readonly fold: Fold; readonly predictions: Float64Array }[];
  /** rounds of the final fit: where the stopping losses of the purged k-folds, averaged, are smallest */
  readonly rounds: number;
}

/**
 * Works on several items at a time and answers in their order. Folds are fitted one thread each, side by side: that
 * keeps every core busy without the barriers of a shared fit, which stall when other work takes a core.
 * @param lanes how many at a time; 0 = one per core
 */
export async function inParallel<T, R>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at]!).catch((error) => {
        next = items.length; // nothing new is begun after a failure
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: lanes || availableParallelism() }, lane));
  return results;
}

/** Copies rows of the dataset out, as a fit takes them. */
export function rowsOf(dataset: Dataset, rows: Int32Array) {
  const width = dataset.features.length / dataset.rows;
  const features = new Float32Array(rows.length * width);
  const labels = new Float32Array(rows.length);
  rows.forEach((row, i) => {
    features.set(dataset.features.subarray(row * width, (row + 1) * width), i * width);
    labels[i] = dataset.labels[row]!;
  });
  return { features, labels, rows: rows.length, featureCount: width };
}

/** Fits a fixed number of rounds on the given rows; nothing else is looked at. */
export async function fitFinal(
  { library, progress, signal }: Pick<FitContext, 'library' | 'progress' | 'signal'>,
  dataset: Dataset,
  rows: Int32Array,
  params: GbdtParams,
  rounds: number,
): Promise<GbdtModel> {
  return fitGbdt(library, {
    ...rowsOf(dataset, rows),
    params: { ...params, rounds, early_stopping_rounds: 0 },
    progress,
    signal,
  });
}

/** Fits the ridge arm on rows; its penalty is chosen on purged folds within them. */
export function fitRidgeOn(
  { dataset, intervals, embargoMs }: Samples,
  rows: Int32Array,
  config: Pick<RetrainConfig, 'folds' | 'ridge_lambdas'>,
): RidgeModel {
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

/** Purged k-fold, CPCV and walk-forward over the search rows; each fold is audited for leaks before it is fitted. */
export async function crossValidate(
  context: FitContext,
  params: GbdtParams,
): Promise<CrossValidation> {
  const { samples, folds: plan, progress } = context;
  const { dataset, embargoMs } = samples;
  const searchRows = samples.spans.search.rows;
  const part = selectIntervals(samples.intervals, searchRows);
  const kFolds = purgedKFold(part, { folds: plan.purged_k, embargoMs });
  const cpcv = combinatorialPurgedCv(part, {
    groups: plan.cpcv_groups,
    testGroups: plan.cpcv_test_groups,
    embargoMs,
  });
  const forward = walkForward(part, { folds: plan.walk_forward, mode: 'expanding', embargoMs });
  const jobs = [
    ...kFolds.map((fold, i) => ({ scheme: 'purged_k_fold' as const, i, fold })),
    ...cpcv.folds.map((fold, i) => ({ scheme: 'cpcv' as const, i, fold })),
    ...forward.map((fold, i) => ({ scheme: 'walk_forward' as const, i, fold })),
  ];
  const single = { ...params, threads: 1 };
  let done = 0;
  const tested = await inParallel(jobs, params.threads, async ({ scheme, i, fold }) => {
    const quiet = { ...context, progress: silent };
    const { report, ...result } = await fitFold(quiet, liftFold(fold, searchRows), single);
    done += 1;
    progress.update(`fold ${done}/${jobs.length}`, (0.9 * done) / jobs.length, scheme);
    return { ...result, report: { scheme, fold: i, ...report } };
  });
  const reports: FoldReport[] = tested.map(({ report }) => report);
  const predictions = tested.map((fold) => fold.predictions);
  const stoppingLosses = tested.slice(0, kFolds.length).map((fold) => fold.stoppingLoss);
  const outOfFold = new Float64Array(dataset.rows).fill(Number.NaN);
  kFolds.forEach((fold, k) => {
    fold.test.forEach((row, i) => {
      outOfFold[searchRows[row]!] = predictions[k]![i]!;
    });
  });
  const cpcvPredictions = predictions.slice(kFolds.length, kFolds.length + cpcv.folds.length);
  const labels = Float32Array.from(searchRows, (row) => dataset.labels[row]!);
  const cpcvPaths = cpcv.paths.map((_, path) => {
    const values = assemblePath(cpcv, path, cpcvPredictions);
    return { path, rank_ic: rankCorrelation(values, labels), r2: r2AgainstZero(values, labels) };
  });
  const forwardPredictions = predictions.slice(kFolds.length + cpcv.folds.length);
  return {
    folds: reports,
    cpcvPaths,
    outOfFold,
    walkForward: forward.map((fold, i) => ({
      fold: liftFold(fold, searchRows),
      predictions: forwardPredictions[i]!,
    })),
    rounds: bestRounds(stoppingLosses),
  };
}

/**
 * Fits and tests one fold, once its audit has found no leak.
 * @throws SluiceError `internal` if a training label meets a test label, or a row is in both
 */
export async function fitFold(context: FoldContext, fold: Fold, params: GbdtParams) {
  const { dataset, intervals } = context.samples;
  const audit = auditFold(intervals, fold);
  if (audit.overlap > 0 || audit.shared > 0) {
    throw new SluiceError(
      'internal',
      `A fold leaks: ${audit.overlap} overlapping pairs of labels, ${audit.shared} shared rows; nothing was fitted.`,
      { audit },
    );
  }
  const { fit, stop } = splitForStopping(context, fold.train);
  const stopping = rowsOf(dataset, stop);
  const model = await fitGbdt(context.library, {
    ...rowsOf(dataset, fit),
    validation: stopping,
    params,
    progress: context.progress,
    signal: context.signal,
  });
  const test = rowsOf(dataset, fold.test);
  const predictions = model.predict(test.features, test.rows);
  const rounds = model.bestIteration;
  const stoppingLoss = Float64Array.from(model.history, ({ validation }) => validation!);
  model.close();
  return {
    predictions,
    stoppingLoss,
    report: {
      test_from: Math.min(...fold.testBlocks.map((block) => block.from)),
      test_to: Math.max(...fold.testBlocks.map((block) => block.to)),
      train_rows: audit.train,
      test_rows: audit.test,
      purged: audit.purged,
      embargoed: audit.embargoed,
      overlap: audit.overlap,
      rounds,
      rank_ic: rankCorrelation(predictions, test.labels),
      r2: r2AgainstZero(predictions, test.labels),
    },
  };
}

/**
 * The latest part of the training rows decides when to stop; rows whose labels reach into it are purged.
 * @throws SluiceError `out_of_range` if either part is empty
 */
export function splitForStopping(
  { samples, folds }: Pick<FoldContext, 'samples' | 'folds'>,
  train: Int32Array,
) {
  const { intervals, embargoMs } = samples;
  const part = selectIntervals(intervals, train);
  const cut = part.start[Math.floor(train.length * (1 - folds.stopping_frac))]!;
  const fit = train.filter((_, i) => part.end[i]! + embargoMs < cut);
  const stop = train.filter((_, i) => part.start[i]! >= cut);
  if (fit.length > 0 && stop.length > 0) return { fit, stop };
  throw new SluiceError(
    'out_of_range',
    `A fold has ${fit.length} rows to fit and ${stop.length} rows to stop by; give more data, fewer folds or a shorter label.`,
  );
}

/**
 * The round at which the mean of the folds' stopping losses is smallest. One fold's stopping round is mostly noise when
 * the signal is faint; the mean of all folds' losses, each relative to its first round, is not. Rounds beyond the
 * shortest history are not looked at.
 * @param losses per fold, loss after each round
 */
export function bestRounds(losses: readonly Float64Array[]): number {
  const length = Math.min(...losses.map((loss) => loss.length));
  const mean = Float64Array.from({ length }, (_, round) =>
    losses.reduce((sum, loss) => sum + loss[round]! / loss[0]!, 0),
  );
  return 1 + mean.indexOf(mean.reduce((least, value) => Math.min(least, value)));
}
