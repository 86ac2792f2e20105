// The loss that early stopping watches. LightGBM's own metrics add up in thread order, so their last bits (and, in a
// near tie, the chosen iteration) would depend on the number of threads; these add in row order.

import type { GbdtParams } from './params.ts';

/** Which loss, with its one constant. */
export type Loss = Pick<GbdtParams, 'objective' | 'huber_delta'>;

/**
 * Weighted mean loss: squared error, Huber loss or log loss.
 * @param predictions [n] LightGBM's output, a probability for `binary`
 * @param labels [n]
 * @param weights [n], or null for equal weights
 */
export function meanLoss(
  loss: Loss,
  predictions: Float64Array,
  labels: Float32Array,
  weights: Float32Array | null,
): number {
  const lossOf = rowLoss(loss);
  let [sum, total] = [0, 0];
  for (let row = 0; row < labels.length; row += 1) {
    const weight = weights === null ? 1 : weights[row]!;
    sum += weight * lossOf(predictions[row]!, labels[row]!);
    total += weight;
  }
  return sum / total;
}

function rowLoss({
  objective,
  huber_delta: delta,
}: Loss): (prediction: number, label: number) => number {
  if (objective === 'regression') return (prediction, label) => (prediction - label) ** 2;
  if (objective === 'binary')
    return (prediction, label) =>
      -Math.log(Math.max(label === 1 ? prediction : 1 - prediction, 1e-15));
  return (prediction, label) => {
    const error = Math.abs(prediction - label);
    return error <= delta ? 0.5 * error ** 2 : delta * (error - 0.5 * delta);
  };
}
