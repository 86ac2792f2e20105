// DSR: the PSR against the best Sharpe ratio that luck alone would have found in so many trials.

import { SluiceError } from '../../core/index.ts';
import { normalQuantile } from './normal.ts';
import { probabilisticSharpe } from './probabilisticSharpe.ts';
import { checkFinite, type SharpeMoments } from './sharpeMoments.ts';

const eulerGamma = 0.5772156649015329;

/** The trials that led to the chosen one. */
export interface TrialSpread {
  /** independent trials, >= 1; may be a fraction (see `effectiveTrials`) */
  readonly count: number;
  /** variance (ddof = 1) of their per-day Sharpe ratios; not read if there was one trial */
  readonly sharpeVariance: number;
}

/** Goes into reports as it is. */
export interface DeflatedSharpe {
  readonly version: 'dsr_2014_v1';
  readonly probability: number;
  /** SR0, per day: what luck alone would have found */
  readonly benchmark_sharpe: number;
  readonly trials: number;
  /** ddof = 1 */
  readonly trial_sharpe_variance: number;
}

/**
 * Spread of the per-day Sharpe ratios of all trials.
 * @throws SluiceError `out_of_range` if there are none | `non_finite`
 */
export function trialSpread(sharpes: Float64Array): TrialSpread {
  checkFinite(sharpes, 'Sharpe ratios of trials');
  const count = sharpes.length;
  if (count === 0) throw new SluiceError('out_of_range', 'At least one trial is needed; found 0.');
  if (count === 1) return { count, sharpeVariance: 0 };
  const mean = sharpes.reduce((sum, value) => sum + value, 0) / count;
  const squares = sharpes.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { count, sharpeVariance: squares / (count - 1) };
}

/**
 * Expected largest of N independent standard normals: (1 - g) z(1 - 1/N) + g z(1 - 1/(N e)), g = Euler's
 * constant. The approximation falls below zero for N close to 1, where it is cut; 0 for N = 1.
 * @throws SluiceError `out_of_range` unless N >= 1 is finite
 * @source Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio"
 */
export function expectedMaxNormal(trials: number): number {
  if (!(trials >= 1 && Number.isFinite(trials))) {
    throw new SluiceError('out_of_range', `The number of trials must be >= 1; found ${trials}.`);
  }
  if (trials === 1) return 0;
  // z(1 - p) = -z(p), which keeps its digits for large N.
  const near = -normalQuantile(1 / trials);
  const far = -normalQuantile(1 / (trials * Math.E));
  return Math.max(0, (1 - eulerGamma) * near + eulerGamma * far);
}

/**
 * PSR of 2012 against SR0 = sqrt(variance of the trials' Sharpe ratios) x expected maximum.
 * @throws SluiceError `out_of_range` | `non_finite`
 * @source Bailey and Lopez de Prado 2014
 */
export function deflatedSharpe(moments: SharpeMoments, trials: TrialSpread): DeflatedSharpe {
  const { count, sharpeVariance } = trials;
  if (!(sharpeVariance >= 0 && Number.isFinite(sharpeVariance))) {
    throw new SluiceError(
      'out_of_range',
      `The variance of the trials' Sharpe ratios must be >= 0; found ${sharpeVariance}.`,
    );
  }
  const benchmark = Math.sqrt(sharpeVariance) * expectedMaxNormal(count);
  return {
    version: 'dsr_2014_v1',
    probability: probabilisticSharpe(moments, benchmark).probability,
    benchmark_sharpe: benchmark,
    trials: count,
    trial_sharpe_variance: sharpeVariance,
  };
}
