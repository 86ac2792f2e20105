// Optuna's rules for numbers and times in columns: what a FLOAT cannot hold is NULL and a word beside it; times are
// UTC text.

import { isoTime, SluiceError } from '../../core/index.ts';
import type { Direction, TrialState } from '../study/index.ts';

/** A number as its column and the word in the column beside it. */
export type NumberCells = readonly [value: number | null, type: string];

/** A value or a report; NaN is for reports only. */
export function numberCells(value: number): NumberCells {
  if (Number.isFinite(value)) return [value, 'FINITE'];
  if (Number.isNaN(value)) return [null, 'NAN'];
  return [null, value > 0 ? 'INF_POS' : 'INF_NEG'];
}

/** @throws SluiceError `input_invalid` where number and word disagree */
export function readNumber(value: unknown, type: unknown): number {
  if (type === 'FINITE' && typeof value === 'number') return value;
  if (value === null && type === 'INF_POS') return Number.POSITIVE_INFINITY;
  if (value === null && type === 'INF_NEG') return Number.NEGATIVE_INFINITY;
  if (value === null && type === 'NAN') return Number.NaN;
  throw unreadable('a number and its type', `${String(value)} and ${String(type)}`);
}

/** `2026-11-22 17:15:59.777000` of a time in Unix ms. */
export const timeText = (ms: number): string => `${isoTime(ms).slice(0, 23).replace('T', ' ')}000`;

/** A time that may be missing. */
export const optionalTimeText = (ms: number | null): string | null =>
  ms === null ? null : timeText(ms);

/** Unix ms of a time text, microseconds cut off. @throws SluiceError `input_invalid` */
export function readTime(text: unknown): number | null {
  if (text === null) return null;
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z?$/.exec(String(text));
  if (match === null) throw unreadable('a time YYYY-MM-DD HH:MM:SS.ffffff', String(text));
  const [, day, time, fraction = ''] = match;
  return Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}Z`);
}

const states: ReadonlySet<unknown> = new Set<TrialState>([
  'RUNNING',
  'COMPLETE',
  'PRUNED',
  'FAIL',
  'WAITING',
]);

/** @throws SluiceError `input_invalid` */
export function readState(text: unknown): TrialState {
  if (states.has(text)) return text as TrialState;
  throw unreadable('a trial state in upper case', String(text));
}

/** @throws SluiceError `input_invalid` */
export function readDirection(text: unknown): Direction {
  if (text === 'MINIMIZE' || text === 'MAXIMIZE') return text;
  throw unreadable('MINIMIZE or MAXIMIZE', String(text));
}

/** @throws SluiceError `input_invalid` unless a column holds a whole number */
export function readInteger(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw unreadable('a whole number', String(value));
}

const unreadable = (expected: string, found: string) =>
  new SluiceError(
    'input_invalid',
    `The study database should hold ${expected}; found ${found}. Optuna itself could not read it.`,
  );
