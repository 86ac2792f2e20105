// The trees' predictions that a network is taught by: each comes from trees that did not see its row, nor anything
// outside the rows that the network trains on.

import { silent } from '../../core/index.ts';
import type { GbdtParams } from '../gbdt/index.ts';
import { liftFold, purgedKFold, selectIntervals } from '../validate/index.ts';
import { type FoldContext, fitFold, inParallel } from './fit.ts';

/**
 * Out-of-fold predictions of trees for rows, from purged k-folds within these rows.
 * @returns [n] over all rows of the dataset; NaN for rows that were not asked for
 * @throws SluiceError `out_of_range` if the rows are too few for the folds | what the fits throw
 */
export async function teacherFor(
  context: FoldContext,
  rows: Int32Array,
  params: GbdtParams,
): Promise<Float64Array> {
  const { dataset, intervals, embargoMs } = context.samples;
  const folds = purgedKFold(selectIntervals(intervals, rows), {
    folds: context.folds.purged_k,
    embargoMs,
  }).map((fold) => liftFold(fold, rows));
  const quiet = { ...context, progress: silent };
  const single = { ...params, threads: 1 };
  const tested = await inParallel(folds, params.threads, (fold) => fitFold(quiet, fold, single));
  const teacher = new Float64Array(dataset.rows).fill(Number.NaN);
  folds.forEach(({ test }, k) => {
    test.forEach((row, i) => {
      teacher[row] = tested[k]!.predictions[i]!;
    });
  });
  return teacher;
}
