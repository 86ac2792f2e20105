// Asynchronous successive halving: a trial goes on past a rung if it is among the best there of all that have come so far.
// Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (ASHA), in Optuna's form
// (optuna/pruners/_successive_halving.py 5.0.0): nothing is ever suspended, so a trial is promoted or ends where it stands.

import { SluiceError } from '../../core/index.ts';
import type {
  Direction,
  FrozenTrial,
  Json,
  PruneDecision,
  Pruner,
  StudySnapshot,
} from '../study/index.ts';
import { needWhole } from './options.ts';
import { firstCompletedStep, goOn, lastStep } from './reports.ts';

/** Where the rungs of {@link successiveHalvingPruner} stand; what is left out is Optuna's default. */
export interface SuccessiveHalvingOptions {
  /** steps to the first rung; `auto` = a hundredth of the first complete trial, nothing ends before there is one; `auto` */
  readonly minResource?: number | 'auto';
  /** one in so many is promoted, and each rung is so many times further; 4 */
  readonly reductionFactor?: number;
  /** rungs left out at the beginning; 0 */
  readonly minEarlyStoppingRate?: number;
  /** so many trials end at a rung before any is promoted; 0 */
  readonly bootstrapCount?: number;
}

/**
 * Ends a trial at rung k, step minResource * reductionFactor ** (minEarlyStoppingRate + k), unless its last report there is
 * among the best 1 / reductionFactor of all that have passed or ended there; what it had there is remembered as
 * `completed_rung_k`. NaN at a rung ends. Decides as Optuna 5.0.0's `SuccessiveHalvingPruner` does.
 * @throws SluiceError `out_of_range`
 */
export function successiveHalvingPruner(options: SuccessiveHalvingOptions = {}): Pruner {
  const {
    minResource = 'auto',
    reductionFactor = 4,
    minEarlyStoppingRate = 0,
    bootstrapCount = 0,
  } = options;
  needWhole('successive halving', [
    ['minResource', minResource === 'auto' ? 1 : minResource, 1],
    ['reductionFactor', reductionFactor, 2],
    ['minEarlyStoppingRate', minEarlyStoppingRate, 0],
    ['bootstrapCount', bootstrapCount, 0],
  ]);
  if (minResource === 'auto' && bootstrapCount > 0)
    throw new SluiceError(
      'out_of_range',
      'successive halving: a bootstrapCount needs minResource as a number, since with auto nothing ends before a trial is complete.',
    );

  const decide = (study: StudySnapshot, trial: FrozenTrial): PruneDecision => {
    const step = lastStep(trial);
    const resource = minResource === 'auto' ? hundredth(study.trials) : minResource;
    if (step === null || resource === null) return goOn;
    const value = withinDoubles(trial.reports.get(step)!);
    const remember = new Map<string, Json>();
    for (let rung = nextRung(trial); ; rung += 1) {
      if (step < resource * reductionFactor ** (minEarlyStoppingRate + rung))
        return { prune: false, remember };
      if (Number.isNaN(value)) return { prune: true, remember };
      remember.set(rungKey(rung), value);
      const competing = [...valuesAt(study.trials, rung), value];
      if (competing.length <= bootstrapCount) return { prune: true, remember };
      if (!isPromoted(value, competing, reductionFactor, study.directions[0]!))
        return { prune: true, remember };
    }
  };
  return { decide, peers: () => null };
}

/** The infinities as the outermost doubles: they rank the same, and JSON can say them. NaN stays. */
const withinDoubles = (value: number): number =>
  Math.min(Math.max(value, -Number.MAX_VALUE), Number.MAX_VALUE);

const rungKey = (rung: number): string => `completed_rung_${rung}`;

function hundredth(trials: readonly FrozenTrial[]): number | null {
  const last = firstCompletedStep(trials);
  return last === null ? null : Math.max(Math.floor(last / 100), 1);
}

function nextRung(trial: FrozenTrial): number {
  let rung = 0;
  while (trial.systemAttributes.has(rungKey(rung))) rung += 1;
  return rung;
}

function valuesAt(trials: readonly FrozenTrial[], rung: number): number[] {
  const key = rungKey(rung);
  return trials
    .map(({ systemAttributes }) => systemAttributes.get(key))
    .filter((value) => typeof value === 'number')
    .map(withinDoubles);
}

/** True if a value is among the best of those that compete, itself included. The first few are measured with the very best. */
function isPromoted(
  value: number,
  competing: readonly number[],
  reductionFactor: number,
  direction: Direction,
): boolean {
  const promoted = Math.max(1, Math.floor(competing.length / reductionFactor));
  const sorted = Float64Array.from(competing).sort();
  return direction === 'MAXIMIZE'
    ? value >= sorted[sorted.length - promoted]!
    : value <= sorted[promoted - 1]!;
}
