// A long-term forecasting data set as the TSMixer paper's data_loader.py cuts it: rows to train, validation and test,
// standardised by the train rows, every window of stride 1. A part's first windows look back into the part before.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { SluiceError } from '../../core/index.ts';

/** Rows of numbers, oldest first. */
export interface Series {
  /** of the file, without its ending */
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
  /** [rows*columns] as the file gives them */
  readonly values: Float64Array;
}

/** Windows by the row where each ends: its last row of look-back. */
export interface Windows {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
}

/** First row after train, validation and test. */
interface Ends {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/**
 * Reads a CSV file with a header, a date first and numbers after it. A header that is not UTF-8 is read as Latin-1.
 * @throws SluiceError `input_missing` | `input_invalid`
 */
export function readSeries(path: string): Series {
  const lines = decode(readFile(path)).split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  const [date, ...columns] = lines.shift()?.split(',') ?? [];
  if (columns.length === 0 || !/date|time/i.test(date!)) {
    throw invalid(path, 1, 'expected a header "date,<column>,..." and at least one column');
  }
  const values = new Float64Array(lines.length * columns.length);
  for (const [row, line] of lines.entries()) {
    const cells = line.split(',');
    if (cells.length !== columns.length + 1) {
      throw invalid(path, row + 2, `expected ${columns.length + 1} cells, found ${cells.length}`);
    }
    for (const [column, name] of columns.entries()) {
      const cell = cells[column + 1]!.trim();
      const value = cell === '' ? Number.NaN : Number(cell);
      if (!Number.isFinite(value)) {
        throw invalid(path, row + 2, `expected a number in "${name}", found "${cell}"`);
      }
      values[row * columns.length + column] = value;
    }
  }
  return { name: basename(path).replace(/\.[^.]*$/, ''), columns, rows: lines.length, values };
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new SluiceError('input_missing', `${path} cannot be read.`, { path }, error);
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

function invalid(path: string, line: number, what: string): SluiceError {
  const advice = 'Missing values must be filled or cut before.';
  return new SluiceError('input_invalid', `${path}, line ${line}: ${what}. ${advice}`, { path });
}

/** The ETT files have fixed calendars, counted in months of 30 days; any other file is cut 70 / 10 / 20. */
function splitEnds({ name, rows }: Series): Ends {
  const ett = /^ETT([hm])\d/.exec(name);
  if (ett === null) {
    const test = Math.trunc(0.2 * rows);
    return { train: Math.trunc(0.7 * rows), validation: rows - test, test: rows };
  }
  const month = 30 * 24 * (ett[1] === 'm' ? 4 : 1);
  return { train: 12 * month, validation: 16 * month, test: 20 * month };
}

/**
 * All windows of the three parts.
 * @throws SluiceError `out_of_range` if a part has no window
 */
export function cutWindows(series: Series, lookback: number, horizon: number): Windows {
  const ends = splitEnds(series);
  const part = (firstTarget: number, end: number) => {
    const count = end - firstTarget - horizon + 1;
    if (count < 1 || end > series.rows) {
      throw new SluiceError(
        'out_of_range',
        `${series.name} has ${series.rows} rows: too few for windows of ${lookback} + ${horizon}.`,
      );
    }
    return Int32Array.from({ length: count }, (_, i) => firstTarget - 1 + i);
  };
  return {
    train: part(lookback, ends.train),
    validation: part(ends.train, ends.validation),
    test: part(ends.validation, ends.test),
  };
}

/** The series in units of the train rows: minus their mean, over their population standard deviation, as float32. */
export function standardise(series: Series): Float32Array {
  const { train } = splitEnds(series);
  const width = series.columns.length;
  const out = new Float32Array(series.values.length);
  for (let column = 0; column < width; column += 1) {
    const past = Float64Array.from({ length: train }, (_, i) => series.values[i * width + column]!);
    const mean = past.reduce((sum, v) => sum + v, 0) / train;
    const variance = past.reduce((sum, v) => sum + (v - mean) ** 2, 0) / train;
    const scale = variance > 0 ? Math.sqrt(variance) : 1; // as StandardScaler: a constant stays a constant
    for (let i = column; i < out.length; i += width) out[i] = (series.values[i]! - mean) / scale;
  }
  return out;
}

/** Errors over all windows x horizon x channels, in standardised units. */
export interface ForecastErrors {
  readonly mse: number;
  readonly mae: number;
}

/** @param forecasts [windows*horizon*width] of the rows after each window */
export function forecastErrors(
  values: Float32Array,
  width: number,
  windowEnds: Int32Array,
  horizon: number,
  forecasts: Float32Array | Float64Array,
): ForecastErrors {
  const size = horizon * width;
  let [squares, absolutes] = [0, 0];
  for (const [w, end] of windowEnds.entries()) {
    const first = (end + 1) * width;
    for (let i = 0; i < size; i += 1) {
      const error = values[first + i]! - forecasts[w * size + i]!;
      squares += error * error;
      absolutes += Math.abs(error);
    }
  }
  const count = windowEnds.length * size;
  return { mse: squares / count, mae: absolutes / count };
}
