// Distributions of parameters: made and checked as Optuna does, and the way between a parameter's inner number
// and the value that an objective sees.

import { SluiceError } from '../../core/index.ts';
import { lastStep } from './decimal.ts';
import type {
  CategoricalDistribution,
  Distribution,
  FloatDistribution,
  IntDistribution,
  ParamValue,
} from './types.ts';

/** How a numeric range is walked. */
export interface RangeOptions {
  /** distance of two values; with `log` there is none (float) or 1 (int) */
  readonly step?: number | undefined;
  /** uniform in the logarithm */
  readonly log?: boolean | undefined;
}

/**
 * A real number in [low, high]; with a step, `high` comes down to the last low + k * step.
 * @throws SluiceError `non_finite` | `out_of_range`
 */
export function floatDistribution(
  low: number,
  high: number,
  { step, log = false }: RangeOptions = {},
): FloatDistribution {
  checkRange(low, high, step, log);
  if (log && step !== undefined) throw outOfRange('no step with log', `step ${step}`);
  const top = step === undefined ? high : lastStep(low, high, step);
  return { kind: 'float', low, high: top, step: step ?? null, log };
}

/**
 * A whole number in [low, high]; `high` comes down to the last low + k * step.
 * @throws SluiceError `non_finite` | `out_of_range`
 */
export function intDistribution(
  low: number,
  high: number,
  { step = 1, log = false }: RangeOptions = {},
): IntDistribution {
  checkRange(low, high, step, log);
  for (const number of [low, high, step]) {
    if (!Number.isSafeInteger(number)) throw outOfRange('whole numbers', String(number));
  }
  if (log && step !== 1) throw outOfRange('step 1 with log', `step ${step}`);
  return { kind: 'int', low, high: high - ((high - low) % step), step, log };
}

/**
 * One of some choices.
 * @throws SluiceError `non_finite` | `out_of_range` (none, or one twice)
 */
export function categoricalDistribution(choices: readonly ParamValue[]): CategoricalDistribution {
  if (choices.length === 0) throw outOfRange('at least one choice', 'none');
  for (const choice of choices) {
    if (typeof choice === 'number' && !Number.isFinite(choice)) throw nonFinite(choice);
  }
  if (new Set(choices).size < choices.length) {
    throw outOfRange('choices that differ', JSON.stringify(choices));
  }
  return { kind: 'categorical', choices: [...choices] };
}

function checkRange(low: number, high: number, step: number | undefined, log: boolean): void {
  for (const number of [low, high, step ?? 1]) {
    if (!Number.isFinite(number)) throw nonFinite(number);
  }
  if (low > high) throw outOfRange('low <= high', `[${low}, ${high}]`);
  if (step !== undefined && step <= 0) throw outOfRange('a positive step', String(step));
  if (log && low <= 0) throw outOfRange('a positive low with log', String(low));
}

const outOfRange = (expected: string, found: string) =>
  new SluiceError('out_of_range', `A distribution needs ${expected}; found ${found}.`);

const nonFinite = (found: number) =>
  new SluiceError('non_finite', `A distribution needs finite numbers; found ${found}.`);

/** Whether only one value is possible. */
export const isSingle = (distribution: Distribution): boolean =>
  distribution.kind === 'categorical'
    ? distribution.choices.length === 1
    : distribution.low === distribution.high;

/** The inner number of the only value of a distribution that {@link isSingle}. */
export const singleValue = (distribution: Distribution): number =>
  distribution.kind === 'categorical' ? 0 : distribution.low;

/** Whether an inner number is one of the distribution's. */
export function contains(distribution: Distribution, value: number): boolean {
  if (distribution.kind === 'categorical') {
    return Number.isInteger(value) && value >= 0 && value < distribution.choices.length;
  }
  const { low, high, step } = distribution;
  if (!(value >= low && value <= high)) return false;
  if (distribution.kind === 'int') return (value - low) % distribution.step === 0;
  if (step === null) return true;
  const steps = (value - low) / step;
  return Math.abs(steps - Math.round(steps)) < 1e-8;
}

/** The value that an objective sees. */
export const toExternal = (distribution: Distribution, value: number): ParamValue =>
  distribution.kind === 'categorical' ? distribution.choices[Math.trunc(value)]! : value;

/**
 * The inner number of a value, which may lie outside of the range, as Optuna permits for fixed parameters.
 * @throws SluiceError `input_invalid` for a value that is none of the choices or no number
 */
export function toInternal(distribution: Distribution, value: ParamValue): number {
  if (distribution.kind === 'categorical') {
    const index = distribution.choices.indexOf(value);
    if (index >= 0) return index;
    throw invalid(`one of ${JSON.stringify(distribution.choices)}`, value);
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid('a number', value);
  if (distribution.log && value <= 0) throw invalid('a positive number', value);
  return distribution.kind === 'int' ? Math.trunc(value) : value;
}

const invalid = (expected: string, found: ParamValue) =>
  new SluiceError(
    'input_invalid',
    `The value of a parameter must be ${expected}; found ${JSON.stringify(found) ?? found}.`,
  );

/** Whether two distributions are the same. */
export function sameDistribution(a: Distribution, b: Distribution): boolean {
  if (a === b) return true;
  if (a.kind === 'categorical' || b.kind === 'categorical') {
    return (
      a.kind === 'categorical' &&
      b.kind === 'categorical' &&
      a.choices.length === b.choices.length &&
      a.choices.every((choice, at) => Object.is(choice, b.choices[at]))
    );
  }
  return (
    a.kind === b.kind &&
    a.low === b.low &&
    a.high === b.high &&
    a.step === b.step &&
    a.log === b.log
  );
}

/**
 * Within a study a name keeps its kind and its `log`, and a categorical one its choices; ranges may move.
 * @throws SluiceError `input_invalid`
 */
export function requireCompatible(name: string, known: Distribution, asked: Distribution): void {
  const compatible =
    known.kind === 'categorical' || asked.kind === 'categorical'
      ? sameDistribution(known, asked)
      : known.kind === asked.kind && known.log === asked.log;
  if (compatible) return;
  throw new SluiceError(
    'input_invalid',
    `Parameter ${name} is ${JSON.stringify(known)} in this study and was asked for as ${JSON.stringify(asked)}; kind, log and choices cannot change, so give it another name or make another study.`,
    { name, known, asked },
  );
}
