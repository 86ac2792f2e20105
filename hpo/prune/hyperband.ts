// Hyperband: several successive halvings side by side that differ in how soon they begin to end trials.
// Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach", in Optuna's form (optuna/pruners/_hyperband.py 5.0.0): a
// trial's bracket follows from the study's name and the trial's number alone.

import { crc32 } from 'node:zlib';
import { SluiceError } from '../../core/index.ts';
import type { FrozenTrial, Pruner, StudySnapshot } from '../study/index.ts';
import { exactLog } from './exactLog.ts';
import { needWhole } from './options.ts';
import { firstCompletedStep, goOn } from './reports.ts';
import { successiveHalvingPruner } from './successiveHalving.ts';

/** The brackets of {@link hyperbandPruner}; what is left out is Optuna's default. */
export interface HyperbandOptions {
  /** steps to the first rung of the first bracket; 1 */
  readonly minResource?: number;
  /** steps of a whole trial; `auto` = those of the first complete trial, nothing ends before there is one; `auto` */
  readonly maxResource?: number | 'auto';
  /** as of successive halving; 3 */
  readonly reductionFactor?: number;
  /** as of successive halving; 0 */
  readonly bootstrapCount?: number;
}

/**
 * Successive halving in brackets: bracket i leaves out the first i rungs, trials compete with those of their bracket only,
 * and a sampler learns from these alone. Decides as Optuna 5.0.0's `HyperbandPruner` does.
 * @throws SluiceError `out_of_range`
 */
export function hyperbandPruner(options: HyperbandOptions = {}): Pruner {
  const {
    minResource = 1,
    maxResource = 'auto',
    reductionFactor = 3,
    bootstrapCount = 0,
  } = options;
  needWhole('hyperband', [
    ['minResource', minResource, 1],
    ['maxResource', maxResource === 'auto' ? 1 : maxResource, 1],
    ['reductionFactor', reductionFactor, 2],
    ['bootstrapCount', bootstrapCount, 0],
  ]);
  if (maxResource === 'auto' && bootstrapCount > 0)
    throw new SluiceError(
      'out_of_range',
      'hyperband: a bootstrapCount needs maxResource as a number, since with auto nothing ends before a trial is complete.',
    );

  /** Budgets of the brackets; empty while nothing is known of how long a trial is. */
  const budgets = (study: StudySnapshot): readonly number[] => {
    const last = maxResource === 'auto' ? firstCompletedStep(study.trials) : maxResource - 1;
    return last === null ? [] : bracketBudgets(minResource, last + 1, reductionFactor);
  };
  const halving = (bracket: number) =>
    successiveHalvingPruner({
      minResource,
      reductionFactor,
      minEarlyStoppingRate: bracket,
      bootstrapCount,
    });

  const peers = (study: StudySnapshot, trial: FrozenTrial): readonly FrozenTrial[] | null => {
    const shares = budgets(study);
    if (shares.length === 0) return null;
    const own = bracketOf(study.name, trial.number, shares);
    return study.trials.filter(({ number }) => bracketOf(study.name, number, shares) === own);
  };
  return {
    peers,
    decide(study, trial) {
      const trials = peers(study, trial);
      if (trials === null) return goOn;
      const bracket = bracketOf(study.name, trial.number, budgets(study));
      return halving(bracket).decide({ ...study, trials }, trial);
    },
  };
}

/**
 * How many of all trials each bracket gets, in proportion.
 * @returns one whole number for each bracket; empty if a whole trial is shorter than the first rung
 */
export function bracketBudgets(
  minResource: number,
  maxResource: number,
  reductionFactor: number,
): number[] {
  const count = Math.floor(exactLog(maxResource / minResource) / exactLog(reductionFactor)) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, bracket) => {
    const s = count - 1 - bracket;
    return Math.ceil((count * reductionFactor ** s) / (s + 1));
  });
}

/** Bracket of a trial: the same in every process, whoever asks. */
function bracketOf(studyName: string, number: number, budgets: readonly number[]): number {
  const total = budgets.reduce((sum, budget) => sum + budget, 0);
  let left = crc32(`${studyName}_${number}`) % total;
  return budgets.findIndex((budget) => {
    left -= budget;
    return left < 0;
  });
}
