// From a score to the weight it asks for, through the very function that the backtest sized with.

import type { Policy } from '../../core/index.ts';
import { size } from '../../models/trade/index.ts';
import type { ServedManifest } from '../load/index.ts';

/**
 * The weight that a score asks for.
 * @param asked the policy that was to answer; the backtest sized its fall-backs as its own scores
 * @param weight signed share of equity held now
 * @returns null unless validation promoted that very policy: nothing is sized on another one
 */
export function targetWeight(
  { policy, trade }: Pick<ServedManifest, 'policy' | 'trade'>,
  asked: Policy,
  score: number,
  weight: number,
): number | null {
  return policy === asked ? size(score, { weight }, trade.sizing) : null;
}
