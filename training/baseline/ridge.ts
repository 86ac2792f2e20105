// The naive arm that learns: ridge regression in closed form on standardised features.
// Hoerl and Kennard 1970; penalty and scaling as in scikit-learn's StandardScaler + Ridge(alpha = lambda n).

import { SluiceError } from '../../core/index.ts';
import type { Scorer } from '../../models/score/index.ts';
import { solvePositiveDefinite } from './cholesky.ts';

/** What a ridge is fitted on. */
export interface RidgeInput {
  /** [n*F] row-major; NaN = missing, which counts as the mean of the training rows */
  readonly features: Float32Array;
  /** [n] finite on all rows that train or test */
  readonly labels: Float32Array;
  readonly featureCount: number;
  /** rows of the final fit */
  readonly rows: Int32Array;
  /** purged folds within `rows`, on which lambda is chosen; means and scales are fitted inside each fold */
  readonly folds: readonly { readonly train: Int32Array; readonly test: Int32Array }[];
  /** penalties to choose from, in units of the features' variance: alpha / n of scikit-learn; default 1e-4 .. 1e2 */
  readonly lambdas?: readonly number[];
}

/** A linear scorer. */
export interface RidgeModel extends Scorer {
  /** [F] per raw unit of the feature */
  readonly coefficients: Float64Array;
  readonly intercept: number;
  /** [F] what a missing value counts as: the training mean */
  readonly means: Float64Array;
  readonly lambda: number;
  /** mean squared error on the folds' test rows, for each candidate */
  readonly validation: readonly { readonly lambda: number; readonly mse: number }[];
}

const defaultLambdas = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100];

/**
 * Minimises mean((y - b0 - z b)^2) + lambda |b|^2 over standardised features z. The lambda with the
 * smallest pooled out-of-fold error wins, the larger one of equals. No randomness: same input, same bytes.
 * @throws SluiceError `length_mismatch` | `non_finite` | `out_of_range`
 */
export function fitRidge(input: RidgeInput): RidgeModel {
  const lambdas = [...(input.lambdas ?? defaultLambdas)].sort((a, b) => b - a);
  checkInput(input, lambdas);
  const validation = lambdas.map((lambda) => ({ lambda, squares: 0 }));
  let tested = 0;
  for (const fold of input.folds) {
    const normal = normalEquations(input, fold.train);
    for (const candidate of validation) {
      candidate.squares += squaredError(input, fold.test, solve(normal, candidate.lambda));
    }
    tested += fold.test.length;
  }
  const best = validation.reduce((a, b) => (b.squares < a.squares ? b : a));
  const fit = solve(normalEquations(input, input.rows), best.lambda);
  return {
    ...fit,
    featureCount: input.featureCount,
    lambda: best.lambda,
    validation: validation.map(({ lambda, squares }) => ({ lambda, mse: squares / tested })),
    score: (features, rows) => {
      checkShape(features, rows, input.featureCount);
      return Float64Array.from({ length: rows }, (_, row) => predict(fit, features, row));
    },
  };
}

/** Covariances of standardised features: all that a fit needs, whatever lambda. */
interface NormalEquations {
  /** [F*F] lower triangle, divided by the number of rows */
  readonly gram: Float64Array;
  /** [F] with the labels */
  readonly cross: Float64Array;
  readonly means: Float64Array;
  /** [F] standard deviations (ddof = 0); 0 = constant or never present */
  readonly scales: Float64Array;
  readonly labelMean: number;
}

interface LinearFit {
  readonly coefficients: Float64Array;
  readonly intercept: number;
  readonly means: Float64Array;
}

function normalEquations(input: RidgeInput, rows: Int32Array): NormalEquations {
  const { labels, featureCount } = input;
  const { means, scales } = columnMoments(input, rows);
  const labelMean = rows.reduce((sum, row) => sum + labels[row]!, 0) / rows.length;
  const gram = new Float64Array(featureCount * featureCount);
  const cross = new Float64Array(featureCount);
  const z = new Float64Array(featureCount);
  for (const row of rows) {
    standardise(input.features, row, means, scales, z);
    const label = labels[row]! - labelMean;
    for (let i = 0; i < featureCount; i += 1) {
      const zi = z[i]!;
      if (zi === 0) continue;
      cross[i]! += zi * label;
      for (let j = 0; j <= i; j += 1) gram[i * featureCount + j]! += zi * z[j]!;
    }
  }
  const share = (value: number): number => value / rows.length;
  return { gram: gram.map(share), cross: cross.map(share), means, scales, labelMean };
}

/** Means and deviations over the values that are there; rows in the outer loop, since features are row-major. */
function columnMoments(
  { features, featureCount }: RidgeInput,
  rows: Int32Array,
): { means: Float64Array; scales: Float64Array } {
  const column = (fill: number): Float64Array => new Float64Array(featureCount).fill(fill);
  const [count, means, scales] = [column(0), column(0), column(0)];
  const [least, most] = [column(Number.POSITIVE_INFINITY), column(Number.NEGATIVE_INFINITY)];
  const eachPresent = (visit: (i: number, value: number) => void): void => {
    for (const row of rows) {
      for (let i = 0; i < featureCount; i += 1) {
        const value = features[row * featureCount + i]!;
        if (!Number.isNaN(value)) visit(i, value);
      }
    }
  };
  eachPresent((i, value) => {
    count[i]! += 1;
    means[i]! += value;
    least[i] = Math.min(least[i]!, value);
    most[i] = Math.max(most[i]!, value);
  });
  for (let i = 0; i < featureCount; i += 1) means[i]! /= Math.max(1, count[i]!);
  eachPresent((i, value) => {
    scales[i]! += (value - means[i]!) ** 2;
  });
  for (let i = 0; i < featureCount; i += 1) {
    scales[i] = least[i]! < most[i]! ? Math.sqrt(scales[i]! / count[i]!) : 0;
  }
  return { means, scales };
}

function standardise(
  features: Float32Array,
  row: number,
  means: Float64Array,
  scales: Float64Array,
  z: Float64Array,
): void {
  for (let i = 0; i < z.length; i += 1) {
    const value = features[row * z.length + i]!;
    z[i] = Number.isNaN(value) || scales[i] === 0 ? 0 : (value - means[i]!) / scales[i]!;
  }
}

function solve(normal: NormalEquations, lambda: number): LinearFit {
  const { gram, cross, means, scales, labelMean } = normal;
  const n = cross.length;
  const penalised = Float64Array.from(gram);
  for (let i = 0; i < n; i += 1) penalised[i * n + i]! += lambda;
  const standardised = solvePositiveDefinite(penalised, cross);
  const coefficients = standardised.map((b, i) => (scales[i] === 0 ? 0 : b / scales[i]!));
  const intercept = coefficients.reduce((sum, b, i) => sum - b * means[i]!, labelMean);
  return { coefficients, intercept, means };
}

function predict(
  { coefficients, intercept, means }: LinearFit,
  features: Float32Array,
  row: number,
): number {
  let sum = intercept;
  for (let i = 0; i < coefficients.length; i += 1) {
    const value = features[row * coefficients.length + i]!;
    sum += coefficients[i]! * (Number.isNaN(value) ? means[i]! : value);
  }
  return sum;
}

function squaredError({ features, labels }: RidgeInput, rows: Int32Array, fit: LinearFit): number {
  return rows.reduce((sum, row) => sum + (labels[row]! - predict(fit, features, row)) ** 2, 0);
}

function checkInput(input: RidgeInput, lambdas: readonly number[]): void {
  const { features, labels, featureCount, rows, folds } = input;
  checkShape(features, labels.length, featureCount);
  if (lambdas.length === 0 || !lambdas.every((lambda) => lambda > 0 && Number.isFinite(lambda))) {
    throw new SluiceError('out_of_range', 'Each lambda must be a finite number > 0.', { lambdas });
  }
  if (folds.length === 0 && lambdas.length > 1) {
    throw new SluiceError(
      'out_of_range',
      'Choosing lambda needs folds; found none. Give one lambda.',
    );
  }
  for (const part of [rows, ...folds.flatMap((fold) => [fold.train, fold.test])]) {
    if (part.length === 0) throw new SluiceError('out_of_range', 'A ridge needs rows; found none.');
    for (const row of part) checkRow(input, row);
  }
}

function checkRow({ features, labels, featureCount }: RidgeInput, row: number): void {
  if (!(row >= 0 && row < labels.length)) {
    throw new SluiceError('out_of_range', `Row ${row} is not one of the ${labels.length} rows.`);
  }
  const values = features.subarray(row * featureCount, (row + 1) * featureCount);
  const bad =
    !Number.isFinite(labels[row]!) || values.some((v) => !Number.isFinite(v) && !Number.isNaN(v));
  if (bad) {
    throw new SluiceError(
      'non_finite',
      `Row ${row}: the label must be finite and features finite or NaN (missing).`,
      { row },
    );
  }
}

function checkShape(features: Float32Array, rows: number, featureCount: number): void {
  if (featureCount >= 1 && features.length === rows * featureCount) return;
  throw new SluiceError(
    'length_mismatch',
    `Expected ${rows} rows of ${featureCount} features; found ${features.length} values.`,
  );
}
