// Which policy answers, and what share the trees have in it. The manifest says which ones its artifact can answer with.

import { type Policy, policySchema } from '../../core/index.ts';
import type { ServedManifest } from '../load/index.ts';
import { type Refusal, refuse } from './refusal.ts';

/**
 * The policy that answers a request.
 * @param manifest its `policy` is the default; if none was promoted the trees alone, where there are trees
 * @param requested what the caller asks for, undefined = the default
 * @returns a refusal `malformed` for what is no policy, `policy_not_allowed` for one that the artifact lacks
 */
export function choosePolicy(
  manifest: Pick<ServedManifest, 'policies_allowed' | 'policy'>,
  requested: unknown,
): Policy | Refusal {
  const allowed = manifest.policies_allowed;
  const wanted = requested ?? manifest.policy ?? unpromoted(allowed);
  const known = allowed.find((policy) => policy === wanted);
  if (known !== undefined) return known;
  if (!policySchema.safeParse(wanted).success) {
    return refuse(
      'malformed',
      `policy is tabular_only, nn_only or blend_alpha_<number>; found ${JSON.stringify(wanted)}.`,
    );
  }
  return refuse(
    'policy_not_allowed',
    `The artifact answers ${allowed.join(', ')}; it holds no model for ${String(wanted)}.`,
  );
}

/** Nothing was promoted: the answer is for comparison only, and the trees need the least to give one. */
const unpromoted = (allowed: readonly Policy[]): Policy | undefined =>
  allowed.find((policy) => policy === 'tabular_only') ?? allowed[0];
