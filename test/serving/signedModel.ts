// A signed artifact whose trees can also be explained, made from seeds.

import { type ArtifactInput, buildArtifact } from '../../models/artifact/index.ts';
import { treeScorer } from '../../models/score/index.ts';
import { sampleInput } from '../models/artifact/samples.ts';
import { randomRows, randomTrees } from './randomTrees.ts';

/** The input of {@link signedArtifact}: 40 golden rows, some values missing. */
export function signedInput(): ArtifactInput {
  const sample = sampleInput();
  const trees = randomTrees(3, { featureCount: sample.trees.featureCount, trees: 20, depth: 4 });
  const rows = 40;
  const features = randomRows(4, rows, trees.featureCount);
  const tabular = treeScorer(trees).score(features, rows);
  return { ...sample, trees, golden: { features, rows, tabular } };
}

/** A whole artifact that opens. */
export const signedArtifact = () => buildArtifact(signedInput());
