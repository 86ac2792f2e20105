// What a fit is given, and the check that LightGBM would not make: it takes an infinity for a very large number.

import { SluiceError } from '../../core/index.ts';

/** Rows to learn from or to validate on. */
export interface GbdtRows {
  /** [rows*featureCount] row-major; NaN = missing. Handed to LightGBM as it is, without a copy. */
  readonly features: Float32Array;
  readonly rows: number;
  /** [rows]; 0 or 1 for objective `binary`. */
  readonly labels: Float32Array;
  /** [rows] non-negative; default 1. */
  readonly weights?: Float32Array;
}

/** Training rows, the columns that are categories, and optionally rows that decide when to stop. */
export interface GbdtData extends GbdtRows {
  readonly featureCount: number;
  /** Columns whose values are category numbers, integers from 0 and dense; NaN = missing. */
  readonly categorical?: readonly number[];
  readonly validation?: GbdtRows;
}

/** float32 holds every integer up to here. */
const largestCategory = 2 ** 24;
/** Above this ratio of largest category to number of categories LightGBM complains on stdout of a thread of its own. */
const sparseCategories = 100;

/**
 * Refuses data that cannot be learned from.
 * @throws SluiceError `length_mismatch` | `non_finite` | `out_of_range`
 */
export function checkTrainingData(data: GbdtData, objective: string): void {
  const { featureCount, categorical = [] } = data;
  if (!(Number.isInteger(featureCount) && featureCount > 0))
    throw outOfRange(`The number of features must be a positive integer; found ${featureCount}.`);
  for (const column of categorical) {
    if (!(Number.isInteger(column) && column >= 0 && column < featureCount))
      throw outOfRange(
        `Categorical columns are indices from 0 to ${featureCount - 1}; found ${column}.`,
      );
  }
  checkRows(data, featureCount, categorical, objective, 'training');
  if (data.validation !== undefined)
    checkRows(data.validation, featureCount, categorical, objective, 'validation');
}

function checkRows(
  { features, rows, labels, weights }: GbdtRows,
  featureCount: number,
  categorical: readonly number[],
  objective: string,
  which: string,
): void {
  if (!(Number.isInteger(rows) && rows > 0 && rows <= 0x7fffffff))
    throw outOfRange(`The ${which} data need at least one row; found ${rows}.`);
  checkLength(features, rows * featureCount, `${which} features`);
  checkLength(labels, rows, `${which} labels`);
  checkFinite(labels, `${which} label`);
  checkNoInfinity(features, featureCount, which);
  if (objective === 'binary') checkBinary(labels, which);
  if (weights !== undefined) {
    checkLength(weights, rows, `${which} weights`);
    checkFinite(weights, `${which} weight`);
    checkWeights(weights, which);
  }
  for (const column of categorical) checkCategories(features, rows, featureCount, column, which);
}

function checkLength(values: Float32Array, expected: number, what: string): void {
  if (values.length === expected) return;
  throw new SluiceError(
    'length_mismatch',
    `The ${what} must be ${expected} numbers; found ${values.length}.`,
    { expected, found: values.length },
  );
}

function checkFinite(values: Float32Array, what: string): void {
  const row = values.findIndex((value) => !Number.isFinite(value));
  if (row >= 0)
    throw new SluiceError(
      'non_finite',
      `Every ${what} must be finite; row ${row} holds ${values[row]}. Leave such rows out.`,
      { row },
    );
}

function checkNoInfinity(features: Float32Array, featureCount: number, which: string): void {
  for (let at = 0; at < features.length; at += 1) {
    const value = features[at]!;
    if (value === Infinity || value === -Infinity) {
      const [row, column] = [Math.floor(at / featureCount), at % featureCount];
      throw new SluiceError(
        'non_finite',
        `The ${which} features hold ${value} in row ${row}, column ${column}; write NaN where a value is missing.`,
        { row, column },
      );
    }
  }
}

function checkBinary(labels: Float32Array, which: string): void {
  const row = labels.findIndex((label) => label !== 0 && label !== 1);
  if (row >= 0)
    throw outOfRange(
      `Objective binary needs labels 0 or 1; ${which} row ${row} holds ${labels[row]}.`,
    );
}

function checkWeights(weights: Float32Array, which: string): void {
  const row = weights.findIndex((weight) => weight < 0);
  if (row >= 0)
    throw outOfRange(`Weights must not be negative; ${which} row ${row} holds ${weights[row]}.`);
  if (!weights.some((weight) => weight > 0))
    throw outOfRange(`All ${which} weights are zero; at least one row must count.`);
}

function checkCategories(
  features: Float32Array,
  rows: number,
  featureCount: number,
  column: number,
  which: string,
): void {
  const seen = new Set<number>();
  let largest = 0;
  for (let row = 0; row < rows; row += 1) {
    const value = features[row * featureCount + column]!;
    if (Number.isNaN(value)) continue;
    if (!(Number.isInteger(value) && value >= 0 && value < largestCategory))
      throw outOfRange(
        `Categories are integers from 0 to ${largestCategory - 1}; ${which} row ${row}, column ${column} holds ${value}.`,
      );
    seen.add(value);
    largest = Math.max(largest, value);
  }
  if (Math.floor(largest / sparseCategories) > seen.size)
    throw outOfRange(
      `Column ${column} has ${seen.size} categories numbered up to ${largest}; number them densely from 0.`,
    );
}

const outOfRange = (message: string): SluiceError => new SluiceError('out_of_range', message);
