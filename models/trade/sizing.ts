// From a score to a target weight. Backtest, hyperparameter search and serving call this one function.
// The whole effective config is an argument: a hidden override is how two runs of one request come to differ.

import { SluiceError } from '../../core/index.ts';
import type { SizingConfig } from './types.ts';

/** What sizing needs to know about the book. */
export interface SizingState {
  /** signed share of equity held now */
  readonly weight: number;
}

/**
 * The weight that a score asks for; exactly `state.weight` where nothing is to be traded.
 *
 * A score below `entry_score` asks for no position. An open position stays as it is while the score in
 * its own direction lies in [exit_score, entry_score), and is closed below. A target that is not flat is
 * clipped to `max_weight`, approached by `smoothing`, and not traded within `rebalance_band`. A close is
 * taken whole: smoothed or banded it would leave dust behind that no score asks for.
 * @param score finite; what 1 unit means is the model's business, `gain` translates it
 * @returns signed share of equity
 * @throws SluiceError `non_finite`
 */
export function size(score: number, state: SizingState, sizing: SizingConfig): number {
  const weight = state.weight;
  // x - x is 0 for finite numbers and NaN for all others
  if (score - score !== 0 || weight - weight !== 0) return refuse(score, weight);
  if (Math.abs(score) < sizing.entry_score) {
    const keeps = weight * score >= 0 && Math.abs(score) >= sizing.exit_score;
    return keeps ? weight : 0;
  }
  const asked = Math.max(-sizing.max_weight, Math.min(sizing.max_weight, sizing.gain * score));
  if (asked === 0) return 0;
  const change = sizing.smoothing * (asked - weight);
  if (change === 0 || Math.abs(change) < sizing.rebalance_band) return weight;
  // all the way means exactly there, not there plus rounding
  return sizing.smoothing === 1 ? asked : weight + change;
}

function refuse(score: number, weight: number): never {
  throw new SluiceError(
    'non_finite',
    `Sizing needs a finite score and weight; found score ${score}, weight ${weight}. Make no decision where there is no score.`,
    { score, weight },
  );
}
