// Percentile and median pruning: a trial ends when its best report so far is worse than most trials were at this step.
// Optuna's rules (optuna/pruners/_percentile.py 5.0.0); Golovin et al. 2017, "Google Vizier", section 3.1 for the median.

import { SluiceError } from '../../core/index.ts';
import type { FrozenTrial, PruneDecision, Pruner, StudySnapshot } from '../study/index.ts';
import { needWhole } from './options.ts';
import { end, goOn, lastStep } from './reports.ts';

/** When {@link percentilePruner} judges; what is left out is Optuna's default. */
export interface PercentileOptions {
  /** trials that must be complete before any is judged; 5 */
  readonly startupTrials?: number;
  /** no judgement before this step; 0 */
  readonly warmupSteps?: number;
  /** one judgement in each interval of so many steps from the warm-up on, at the first report in it; 1 */
  readonly intervalSteps?: number;
  /** complete trials that must have reported at the step; 1 */
  readonly minTrials?: number;
}

/**
 * Keeps a trial while its best report so far is within the best `percentile` percent of what complete trials reported at
 * this step. A trial that has reported NaN only ends. Decides as Optuna 5.0.0's `PercentilePruner` does.
 * @param percentile in [0, 100]; 25 = the best quarter goes on
 * @throws SluiceError `out_of_range`
 */
export function percentilePruner(percentile: number, options: PercentileOptions = {}): Pruner {
  const { startupTrials = 5, warmupSteps = 0, intervalSteps = 1, minTrials = 1 } = options;
  if (!(percentile >= 0 && percentile <= 100))
    throw new SluiceError('out_of_range', `percentile must be in [0, 100], not ${percentile}.`);
  needWhole('percentile pruner', [
    ['startupTrials', startupTrials, 0],
    ['warmupSteps', warmupSteps, 0],
    ['intervalSteps', intervalSteps, 1],
    ['minTrials', minTrials, 1],
  ]);

  const isDue = (trial: FrozenTrial, step: number): boolean => {
    if (step < warmupSteps) return false;
    const start = step - ((step - warmupSteps) % intervalSteps);
    return trial.reports.keys().every((other) => other === step || other < start);
  };

  const decide = (study: StudySnapshot, trial: FrozenTrial): PruneDecision => {
    const complete = study.trials.filter(({ state }) => state === 'COMPLETE');
    if (complete.length < Math.max(1, startupTrials)) return goOn;
    const step = lastStep(trial);
    if (step === null || !isDue(trial, step)) return goOn;
    // with the sign turned, smaller is better whatever the direction
    const sign = study.directions[0] === 'MAXIMIZE' ? -1 : 1;
    const own = least(trial.reports.values().map((value) => sign * value));
    if (Number.isNaN(own)) return end;
    const others = complete.flatMap(({ reports }) =>
      reports.has(step) ? [reports.get(step)!] : [],
    );
    if (others.length < minTrials) return goOn;
    const limit = sign * nanPercentile(others, sign === 1 ? percentile : 100 - percentile);
    // false with a limit of NaN
    return own > limit ? end : goOn;
  };
  return { decide, peers: () => null };
}

/**
 * Keeps a trial while its best report so far is no worse than the median at this step: {@link percentilePruner} at 50.
 * @throws SluiceError `out_of_range`
 */
export function medianPruner(options: PercentileOptions = {}): Pruner {
  return percentilePruner(50, options);
}

/** Smallest of some numbers, NaN left out; NaN if nothing else is there. */
function least(values: Iterable<number>): number {
  let best = Number.NaN;
  for (const value of values) if (!(value >= best)) best = Number.isNaN(value) ? best : value;
  return best;
}

/**
 * Percentile of the values that are not NaN, linear between neighbours; NaN if there are none, or if it lies at or beside
 * an infinite one.
 * @param percent in [0, 100]
 * @source numpy.nanpercentile, method `linear`, to the last bit: the limit is compared with reports that may equal it
 */
export function nanPercentile(values: readonly number[], percent: number): number {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
  if (sorted.length === 0) return Number.NaN;
  const place = (sorted.length - 1) * (percent / 100);
  const below = Math.min(Math.floor(place), sorted.length - 1);
  const a = sorted[below]!;
  const b = sorted[Math.min(below + 1, sorted.length - 1)]!;
  const share = place - below;
  return share >= 0.5 ? b - (b - a) * (1 - share) : a + (b - a) * share;
}
