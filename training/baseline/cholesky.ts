// Solves symmetric positive definite systems in float64, in place and in fixed order.

import { SluiceError } from '../../core/index.ts';

/**
 * Solves A x = b by A = L L^T.
 * @param matrix [n*n] row-major, its lower triangle is read; unchanged
 * @param right [n] unchanged
 * @throws SluiceError `out_of_range` if A is not positive definite
 */
export function solvePositiveDefinite(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  const factor = choleskyFactor(matrix, n);
  const x = Float64Array.from(right);
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < i; k += 1) x[i]! -= factor[i * n + k]! * x[k]!;
    x[i]! /= factor[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < n; k += 1) x[i]! -= factor[k * n + i]! * x[k]!;
    x[i]! /= factor[i * n + i]!;
  }
  return x;
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
