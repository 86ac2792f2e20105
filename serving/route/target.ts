// From a score to the weight it asks for, through the very function that the backtest sized with.

import { size } from '../../models/trade/index.ts';
import type { ServedManifest } from '../load/index.ts';

/**
 * The weight that a score asks for.
 * @param weight signed share of equity held now
 * @returns null where validation promoted no policy: nothing is sized on such a model
 */
export function targetWeight(
  { policy, trade }: Pick<ServedManifest, 'policy' | 'trade'>,
  score: number,
  weight: number,
): number | null {
  return policy === null ? null : size(score, { weight }, trade.sizing);
}
