// The three labels of a run, verbatim from the specification. Track A: a gate reads prod + model + prod_live.

import { z } from 'zod';

/** Who launched a run, declared by them. */
export const runSourceSchema = z.enum(['prod', 'maintenance', 'smoke', 'async_test']);
/** What scored its decisions, computed: `model` only when every decision was scored by the artifact. */
export const scoreSourceSchema = z.enum(['model', 'heuristic', 'fallback']);
/** How its data relate to the artifact's own training data, computed, never declared. */
export const dataRegimeSchema = z.enum(['prod_live', 'maintenance_replay', 'mixed']);
/** Which model answers: the trees, the network, or a blend with weight `alpha` on the trees. */
export const policySchema = z.union([
  z.enum(['tabular_only', 'nn_only']),
  z.templateLiteral(['blend_alpha_', z.number()]),
]);

const blendPrefix = 'blend_alpha_';

/** Name of the blend with this weight of the trees. */
export const blendPolicy = (alpha: number): Policy => `${blendPrefix}${alpha}`;

/** Weight of the trees in a policy's score, in [0, 1]; the network has the rest. */
export function treesWeight(policy: Policy): number {
  if (policy === 'tabular_only') return 1;
  return policy === 'nn_only' ? 0 : Number(policy.slice(blendPrefix.length));
}

/** What {@link runSourceSchema} lets through. */
export type RunSource = z.infer<typeof runSourceSchema>;
/** What {@link scoreSourceSchema} lets through. */
export type ScoreSource = z.infer<typeof scoreSourceSchema>;
/** What {@link dataRegimeSchema} lets through. */
export type DataRegime = z.infer<typeof dataRegimeSchema>;
/** What {@link policySchema} lets through. */
export type Policy = z.infer<typeof policySchema>;
