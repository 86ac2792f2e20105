// One policy over one question. Where the network is wanted and cannot answer, the trees answer in its place, for every
// row of the question, and the answer says so; where there are no trees, there is no answer.

import { type Policy, treesWeight } from '../../core/index.ts';
import type { Contributions } from '../../models/score/index.ts';
import type { LoadedModel, LoadedNetwork } from '../load/index.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Why a network did not answer; the labels of the fall-back counter. */
export const fallbackReasons = ['sequence_absent', 'network_failed', 'network_not_finite'] as const;

/** A reason of {@link fallbackReasons}. */
export type FallbackReason = (typeof fallbackReasons)[number];

/** The policy that was to answer, and why the trees did in its place. */
export interface Fallback {
  readonly from: Policy;
  readonly reason: FallbackReason;
}

/** What is scored. */
export interface ScoringInput {
  /** [rows*F] row-major float32, NaN = missing; empty if none were sent to a model without trees */
  readonly features: Float32Array;
  /** [rows*L*C] raw channel values, NaN = missing; null if not every row has a window */
  readonly sequences: Float32Array | null;
  readonly rows: number;
  /** whether the network's channels are to be explained */
  readonly explain: boolean;
}

/** What trees and network gave for each row. */
export interface ScoreParts {
  /** [rows], null for a model without trees */
  readonly tabular: Float64Array | null;
  /** [rows] */
  readonly nn: Float64Array;
}

/** Scores, and where they come from. */
export interface Scored {
  /** the policy that answered: `tabular_only` in a fall-back */
  readonly policy: Policy;
  /** [rows], finite */
  readonly scores: Float64Array;
  /** null unless the network had a say */
  readonly parts: ScoreParts | null;
  readonly fallback: Fallback | null;
  /** [rows] per window; null unless asked for and the network had a say */
  readonly channels: readonly Contributions[] | null;
}

/** What scoring needs from outside. */
export interface ScoringContext {
  /** true when the request is too old to go on explaining */
  readonly late: () => boolean;
  /** told why a network failed */
  readonly onFault: (error: unknown) => void;
}

/**
 * Scores rows by a policy that the manifest allows.
 * @returns a refusal where the network is needed, cannot answer, and there are no trees: `malformed` without windows, else `internal`
 */
export async function scoreBy(
  policy: Policy,
  model: LoadedModel,
  input: ScoringInput,
  context: ScoringContext,
): Promise<Scored | Refusal> {
  // the opener lets no policy through whose part the artifact lacks
  const tabular = (await model.trees?.score(input.features, input.rows)) ?? null;
  if (policy === 'tabular_only') return alone(policy, tabular!, null);
  const heard = await ask(model.network!, input, context);
  if (typeof heard === 'string') {
    return tabular === null
      ? unanswered(policy, heard)
      : alone('tabular_only', tabular, { from: policy, reason: heard });
  }
  const { nn, channels } = heard;
  const scores = tabular === null ? nn : blend(treesWeight(policy), tabular, nn);
  return { policy, scores, parts: { tabular, nn }, fallback: null, channels };
}

const alone = (policy: Policy, scores: Float64Array, fallback: Fallback | null): Scored => ({
  policy,
  scores,
  parts: null,
  fallback,
  channels: null,
});

const blend = (alpha: number, tabular: Float64Array, nn: Float64Array): Float64Array =>
  nn.map((score, row) => alpha * tabular[row]! + (1 - alpha) * score);

interface Heard {
  readonly nn: Float64Array;
  readonly channels: readonly Contributions[] | null;
}

/** The network's scores, each finite, and their explanation; or why there are none. */
async function ask(
  network: LoadedNetwork,
  { sequences, rows, explain }: ScoringInput,
  context: ScoringContext,
): Promise<Heard | FallbackReason> {
  if (sequences === null) return 'sequence_absent';
  try {
    const nn = await network.score(sequences, rows);
    if (!nn.every(Number.isFinite)) return 'network_not_finite';
    const channels = explain ? await explainWindows(network, sequences, rows, context) : null;
    return channels?.every(isWhole) === false ? 'network_not_finite' : { nn, channels };
  } catch (error) {
    context.onFault(error);
    return 'network_failed';
  }
}

async function explainWindows(
  network: LoadedNetwork,
  sequences: Float32Array,
  rows: number,
  { late }: ScoringContext,
): Promise<Contributions[]> {
  const size = sequences.length / rows;
  const explained: Contributions[] = [];
  // a window costs as much as a score for each of its channels: nobody waits for an answer that is refused as late
  for (let row = 0; row < rows && !late(); row += 1) {
    const window = sequences.subarray(row * size, (row + 1) * size);
    explained.push(await network.contributions(window));
  }
  return explained;
}

const isWhole = ({ base, contributions }: Contributions): boolean =>
  Number.isFinite(base) && contributions.every(Number.isFinite);

function unanswered(policy: Policy, reason: FallbackReason): Refusal {
  const none = 'and the artifact has no trees to answer in its place';
  if (reason === 'sequence_absent') {
    return refuse(
      'malformed',
      `${policy} reads the sequence of every row, ${none}: send sequence, oldest bar first.`,
    );
  }
  return refuse(
    'internal',
    reason === 'network_failed'
      ? `The network failed on this request, ${none}; the server's log says why.`
      : `The network gave a score that is not finite, ${none}.`,
  );
}
