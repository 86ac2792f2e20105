// Solves symmetric positive definite systems in float64, in place and in fixed order.

import { SluiceError } from '../../core/index.ts';

/**
 * Solves A X = B by A = L L^T.
 * @param matrix [n*n] row-major, its lower triangle is read; unchanged
 * @param right B [n*columns] row-major, unchanged
 * @returns X [n*columns]
 * @throws SluiceError `out_of_range` if A is not positive definite
 */
export function solvePositiveDefinite(
  matrix: Float64Array,
  right: Float64Array,
  columns = 1,
): Float64Array {
  const n = right.length / columns;
  const factor = choleskyFactor(matrix, n);
  const x = Float64Array.from(right);
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < i; k += 1) subtractRow(x, i, k, factor[i * n + k]!, columns);
    divideRow(x, i, factor[i * n + i]!, columns);
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < n; k += 1) subtractRow(x, i, k, factor[k * n + i]!, columns);
    divideRow(x, i, factor[i * n + i]!, columns);
  }
  return x;
}

/** Row i -= scale * row k. */
function subtractRow(x: Float64Array, i: number, k: number, scale: number, columns: number): void {
  const [into, from] = [i * columns, k * columns];
  for (let c = 0; c < columns; c += 1) x[into + c]! -= scale * x[from + c]!;
}

function divideRow(x: Float64Array, i: number, by: number, columns: number): void {
  for (let c = i * columns; c < (i + 1) * columns; c += 1) x[c]! /= by;
}

/** Lower triangle L; what stands above the diagonal has no meaning. */
function choleskyFactor(matrix: Float64Array, n: number): Float64Array {
  const factor = Float64Array.from(matrix);
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = factor[i * n + j]!;
      for (let k = 0; k < j; k += 1) sum -= factor[i * n + k]! * factor[j * n + k]!;
      if (j < i) factor[i * n + j] = sum / factor[j * n + j]!;
      else if (sum > 0) factor[i * n + i] = Math.sqrt(sum);
      else {
        throw new SluiceError(
          'out_of_range',
          `The matrix must be positive definite; pivot ${i} is ${sum}. Use a larger lambda.`,
        );
      }
    }
  }
  return factor;
}
