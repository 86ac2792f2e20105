// Why the model gave a score: TreeSHAP for the trees, ablation of channels for the network, each with the weight that
// its part has in the score; the largest of them, and what was missing.

import { treesWeight } from '../../core/index.ts';
import type { Contributions } from '../../models/score/index.ts';
import type { LoadedModel } from '../load/index.ts';
import type { Scored, ScoringInput } from './scoring.ts';

/** One of the largest contributions. */
interface Ranked {
  readonly name: string;
  readonly contribution: number;
  /** of the feature, or of the channel in the newest bar; null = missing */
  readonly value: number | null;
}

/**
 * An explanation of one score. Trees alone: `base` plus all `contributions` is the score, to 1e-6. Where the network
 * had a say, `base` plus `contributions` plus `channels` plus `remainder` is the score.
 */
export interface Explanation {
  /** the trees' mean score; the network's score of a window at its training means; weighted as the policy weights them */
  readonly base: number;
  /** TreeSHAP per feature, times the trees' weight; empty where they have none */
  readonly contributions: Readonly<Record<string, number>>;
  /** the largest by absolute value, largest first */
  readonly top: readonly (Ranked & { readonly part?: 'tabular' | 'nn' })[];
  /** features that were missing in the row */
  readonly missing: readonly string[];
  /** events behind the features, with their source tier; empty for a model that reads no events */
  readonly events: readonly never[];
  /** per channel, times the network's weight: what the score loses with the channel at its training mean in every bar */
  readonly channels?: Readonly<Record<string, number>>;
  /** what channels do together and no single one of them: 0 for a network that adds its channels up */
  readonly remainder?: number;
  /** channels of which a bar of the window was missing */
  readonly missing_channels?: readonly string[];
}

const topCount = 5;

/**
 * Explains scores.
 * @returns [rows]
 */
export function explainRows(
  model: LoadedModel,
  input: ScoringInput,
  scored: Scored,
): Explanation[] {
  return Array.from({ length: input.rows }, (_, row) =>
    scored.channels === null
      ? explainTrees(model, rowOf(input.features, row, input.rows), 1)
      : explainParts(model, input, scored, scored.channels[row]!, row),
  );
}

const rowOf = (values: Float32Array, row: number, rows: number): Float32Array =>
  values.subarray((row * values.length) / rows, ((row + 1) * values.length) / rows);

/** @param weight of the trees in the score */
function explainTrees(model: LoadedModel, features: Float32Array, weight: number): Explanation {
  const names = model.manifest.feature_schema.map(({ name }) => name);
  const { base, contributions } = model.trees!.contributions(features);
  const terms = weight === 1 ? contributions : contributions.map((term) => weight * term);
  return {
    base: weight * base,
    contributions: named(names, terms),
    top: largest(names.map((name, j) => ranked(name, terms[j]!, features[j]!))),
    missing: names.filter((_, j) => Number.isNaN(features[j]!)),
    events: [],
  };
}

/** What the trees' part looks like where they have no weight: nothing of it is in the score. */
function withoutTrees(model: LoadedModel, features: Float32Array): Explanation {
  const { feature_schema } = model.manifest;
  const missing = feature_schema.filter((_, j) => Number.isNaN(features[j]));
  return {
    base: 0,
    contributions: {},
    top: [],
    missing: missing.map(({ name }) => name),
    events: [],
  };
}

function explainParts(
  model: LoadedModel,
  { features, sequences, rows }: ScoringInput,
  { policy, scores }: Scored,
  network: Contributions,
  row: number,
): Explanation {
  const weight = treesWeight(policy);
  const shown = rowOf(features, row, rows);
  const trees = weight > 0 ? explainTrees(model, shown, weight) : withoutTrees(model, shown);
  const { channels } = model.network!;
  const window = rowOf(sequences!, row, rows);
  const newest = window.subarray(window.length - channels.length);
  const terms = network.contributions.map((term) => (1 - weight) * term);
  const base = trees.base + (1 - weight) * network.base;
  return {
    ...trees,
    base,
    top: largest([
      ...trees.top.map((one) => ({ ...one, part: 'tabular' as const })),
      ...channels.map((name, c) => ({
        ...ranked(name, terms[c]!, newest[c]!),
        part: 'nn' as const,
      })),
    ]),
    channels: named(channels, terms),
    remainder: scores[row]! - base - sum(Object.values(trees.contributions)) - sum(terms),
    missing_channels: channels.filter((_, c) =>
      window.some((value, at) => at % channels.length === c && Number.isNaN(value)),
    ),
  };
}

const named = (names: readonly string[], terms: Float64Array): Record<string, number> =>
  Object.fromEntries(names.map((name, j) => [name, terms[j]!]));

const ranked = (name: string, contribution: number, value: number): Ranked => ({
  name,
  contribution,
  value: Number.isNaN(value) ? null : value,
});

const largest = <R extends Ranked>(all: readonly R[]): R[] =>
  all.toSorted((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, topCount);

const sum = (terms: Iterable<number>): number => {
  let total = 0;
  for (const term of terms) total += term;
  return total;
};
