// Feature values from a caller into the float32 rows that the model was trained on. A missing value is
// allowed only where the signed schema says so; nothing ever becomes zero by itself.

import { nearest } from '../../core/index.ts';
import { type Refusal, refuse } from './refusal.ts';

/** What a feature's column must be known by, in the order of the row. */
export interface FeatureColumn {
  readonly name: string;
  /** true if a missing value is an honest value of this column */
  readonly nullable: boolean;
}

/**
 * Writes one value as float32, the precision that the trainer saw; null and NaN mean missing and become NaN.
 * @returns `other` for anything else than a number in float32's range; nothing of sense is written then
 */
export function putNumber(
  into: Float32Array,
  at: number,
  value: unknown,
): 'number' | 'missing' | 'other' {
  if (typeof value === 'number') {
    into[at] = value;
    const rounded = into[at]!;
    if (rounded - rounded === 0) return 'number';
  }
  if (value !== null && !Number.isNaN(value)) return 'other';
  into[at] = Number.NaN;
  return 'missing';
}

/**
 * Writes one value of a row with {@link putNumber}.
 * @returns a refusal `malformed` for anything else than a number in float32's range, or a missing value where none may be
 */
export function putFeature(
  into: Float32Array,
  at: number,
  value: unknown,
  columns: readonly FeatureColumn[],
): Refusal | undefined {
  const kind = putNumber(into, at, value);
  if (kind === 'number') return undefined;
  const column = columns[at % columns.length]!;
  if (kind === 'missing') {
    return column.nullable ? undefined : missing(column, at, columns.length);
  }
  return refuse(
    'malformed',
    `${place(column, at, columns.length)} takes a finite float32 number${column.nullable ? ' or null' : ''}; found ${describe(value)}.`,
  );
}

/**
 * Writes one row given in schema order or by name.
 * @param at index of the row's first value in `into`
 * @returns a refusal `malformed` for a wrong length, an unknown name, a name left out or a bad value
 */
export function putRow(
  into: Float32Array,
  at: number,
  values: readonly unknown[] | Readonly<Record<string, unknown>>,
  columns: readonly FeatureColumn[],
): Refusal | undefined {
  const ordered = Array.isArray(values)
    ? (values as readonly unknown[])
    : inOrder(values as Readonly<Record<string, unknown>>, columns);
  if (!Array.isArray(ordered)) return ordered as Refusal;
  if (ordered.length !== columns.length) {
    return refuse(
      'malformed',
      `features holds ${columns.length} values in the order of the model's schema; found ${ordered.length}.`,
    );
  }
  for (let j = 0; j < columns.length; j += 1) {
    const refusal = putFeature(into, at + j, ordered[j], columns);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function inOrder(
  values: Readonly<Record<string, unknown>>,
  columns: readonly FeatureColumn[],
): readonly unknown[] | Refusal {
  const absent = columns.filter(({ name }) => !Object.hasOwn(values, name));
  if (absent.length > 0) {
    return refuse(
      'malformed',
      `features names every column, null where it is missing; left out: ${absent.map(({ name }) => name).join(', ')}.`,
    );
  }
  const names = columns.map(({ name }) => name);
  const extra = Object.keys(values).find((name) => !names.includes(name));
  if (extra !== undefined) {
    const near = nearest(extra, names);
    return refuse(
      'malformed',
      `features holds no column ${JSON.stringify(extra)}${near === undefined ? '' : `, did you mean ${near}`}.`,
    );
  }
  return names.map((name) => values[name]);
}

const missing = (column: FeatureColumn, at: number, width: number): Refusal =>
  refuse(
    'malformed',
    `${place(column, at, width)} is missing, and its schema does not allow that.`,
  );

const place = (column: FeatureColumn, at: number, width: number): string =>
  `Feature ${column.name} of row ${Math.floor(at / width)}`;

/** What was found, short enough for a sentence. */
export const describe = (value: unknown): string =>
  typeof value === 'number'
    ? String(value)
    : `${typeof value} ${JSON.stringify(value)?.slice(0, 40)}`;
