// Signed artifacts made from seeds: trees that can also be explained, a network, and both.

import { createRandom } from '../../core/index.ts';
import {
  type ArtifactInput,
  buildArtifact,
  type GoldenScores,
} from '../../models/artifact/index.ts';
import { sequenceScorer, type TsmixerNetwork, treeScorer } from '../../models/score/index.ts';
import { sampleInput } from '../models/artifact/samples.ts';
import { randomNetwork } from '../models/score/tsmixerSamples.ts';
import { randomRows, randomTrees } from './randomTrees.ts';

const rows = 40;

/** The input of {@link signedArtifact}, with its trees: 40 golden rows, some values missing. */
export function signedInput() {
  const sample = sampleInput();
  const featureCount = sample.manifest.feature_schema.length;
  const trees = randomTrees(3, { featureCount, trees: 20, depth: 4 });
  const features = randomRows(4, rows, featureCount);
  const tabular = treeScorer(trees).score(features, rows);
  const golden = { rows, features, tabular, sequences: null, nn: null };
  return { ...sample, trees, network: null, golden } satisfies ArtifactInput;
}

/** A whole artifact of trees that opens. */
export const signedArtifact = () => buildArtifact(signedInput());

const shape = { nTokens: 12, nChannels: 5, hidden: 7, blocks: 2 };

/** A network over the first features of a manifest. */
function networkOver(names: readonly string[]): TsmixerNetwork {
  const { weights, channels } = randomNetwork(createRandom(21), shape);
  return { weights, channels: channels.map((channel, c) => ({ ...channel, name: names[c]! })) };
}

/** Raw windows of a network, some values missing, some beyond what is cut. @returns [rows*L*C] */
export const randomWindows = (seed: number, count: number): Float32Array =>
  randomRows(seed, count * shape.nTokens, shape.nChannels).map((value) => 2 * value);

/** The input of {@link signedEnsemble}, with its parts: 40 golden rows and windows. */
export function ensembleInput() {
  const input = signedInput();
  const network = networkOver(input.manifest.feature_schema.map(({ name }) => name));
  const sequences = randomWindows(5, rows);
  const nn = sequenceScorer(network).score(sequences, rows);
  const golden = { ...input.golden, sequences, nn } satisfies GoldenScores;
  const manifest = {
    ...input.manifest,
    type: 'ensemble_liquid' as const,
    n_tokens: shape.nTokens,
    n_channels: shape.nChannels,
    ensemble_alpha: 0.25,
    policies_allowed: ['tabular_only', 'nn_only', 'blend_alpha_0.25'],
    policy: 'blend_alpha_0.25',
  } satisfies ArtifactInput['manifest'];
  return { ...input, manifest, network, golden } satisfies ArtifactInput;
}

/** A whole artifact of trees and a network that opens. */
export const signedEnsemble = () => buildArtifact(ensembleInput());

/** A whole artifact of a network alone that opens. */
export function signedNetwork() {
  const input = ensembleInput();
  return buildArtifact({
    ...input,
    trees: null,
    golden: { ...input.golden, features: new Float32Array(0), tabular: null },
    manifest: {
      ...input.manifest,
      type: 'tsmixer_liquid',
      ensemble_alpha: 0,
      policies_allowed: ['nn_only'],
      policy: 'nn_only',
    },
  });
}
