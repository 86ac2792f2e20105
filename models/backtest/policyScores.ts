// What a policy makes of the scores of trees and network, and where it had to fall back. Serving does the same.

import { type Policy, SluiceError, treesWeight } from '../../core/index.ts';

/**
 * The scores that a policy itself gives: the trees' for `tabular_only`, the network's for `nn_only`,
 * alpha * trees + (1 - alpha) * network for `blend_alpha_<alpha>`.
 * @param tabular [S*T] or null for a model without trees
 * @param nn [S*T] or null for a model without a network
 * @returns [S*T] NaN where a part lacks
 * @throws SluiceError `input_invalid` if the policy needs a part that is null, `length_mismatch`
 */
export function ownScores(
  policy: Policy,
  tabular: Float64Array | null,
  nn: Float64Array | null,
): Float64Array {
  if (policy === 'tabular_only') return part(policy, tabular, 'trees').slice();
  const network = part(policy, nn, 'network');
  if (policy === 'nn_only') return network.slice();
  const alpha = treesWeight(policy);
  const trees = part(policy, tabular, 'trees');
  requireSameLength(trees, network);
  return trees.map((score, at) => alpha * score + (1 - alpha) * network[at]!);
}

/**
 * {@link ownScores}, and where they lack the scores of the trees, if there are trees: what decides.
 * @returns [S*T] NaN where neither can score
 */
export function policyScores(
  policy: Policy,
  tabular: Float64Array | null,
  nn: Float64Array | null,
): Float64Array {
  const own = ownScores(policy, tabular, nn);
  if (tabular === null) return own;
  requireSameLength(tabular, own);
  return own.map((score, at) => (Number.isNaN(score) ? tabular[at]! : score));
}

function part(policy: Policy, scores: Float64Array | null, name: string): Float64Array {
  if (scores !== null) return scores;
  throw new SluiceError(
    'input_invalid',
    `The policy ${policy} needs a score of the ${name}; the model has none.`,
  );
}

function requireSameLength(a: Float64Array, b: Float64Array): void {
  if (a.length === b.length) return;
  throw new SluiceError(
    'length_mismatch',
    `Expected scores of the same bars; found ${a.length} and ${b.length}.`,
  );
}
