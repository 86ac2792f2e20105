// How well predictions order and size labels, without any trading: rank correlation, R2, calibration.

import type { CalibrationBin } from '../report/index.ts';

/**
 * Spearman rank correlation; ties share their mean rank; 0 if either side is constant.
 * @param a [n]  @param b [n]
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlation(ranks(a), ranks(b));
}

/** 1 - sum (label - prediction)^2 / sum label^2: against predicting zero, the honest naive forecast of a return. */
export function r2AgainstZero(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  let error = 0;
  let total = 0;
  for (let i = 0; i < labels.length; i += 1) {
    error += (labels[i]! - predictions[i]!) ** 2;
    total += labels[i]! ** 2;
  }
  return total === 0 ? 0 : 1 - error / total;
}

/** Means of prediction and label in ten equally large bins of rising prediction. */
export function calibrationBins(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
): CalibrationBin[] {
  const order = orderOf(predictions);
  const bins = Math.min(10, order.length);
  return Array.from({ length: bins }, (_, bin) => {
    const members = order.subarray(
      Math.floor((bin * order.length) / bins),
      Math.floor(((bin + 1) * order.length) / bins),
    );
    const mean = (values: ArrayLike<number>) =>
      members.reduce((sum, i) => sum + values[i]!, 0) / members.length;
    return { predicted: mean(predictions), realised: mean(labels), rows: members.length };
  });
}

function correlation(a: Float64Array, b: Float64Array): number {
  const n = a.length;
  const meanA = a.reduce((sum, x) => sum + x, 0) / n;
  const meanB = b.reduce((sum, x) => sum + x, 0) / n;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i += 1) {
    const da = a[i]! - meanA;
    const db = b[i]! - meanB;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

function ranks(values: ArrayLike<number>): Float64Array {
  const order = orderOf(values);
  const result = new Float64Array(order.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to += 1;
    for (let i = from; i < to; i += 1) result[order[i]!] = (from + to - 1) / 2;
    from = to;
  }
  return result;
}

function orderOf(values: ArrayLike<number>): Int32Array {
  return Int32Array.from({ length: values.length }, (_, i) => i).sort(
    (i, j) => values[i]! - values[j]! || i - j,
  );
}
