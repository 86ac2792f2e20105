export { flatTreeScorer } from './flatTrees.ts';
export { parseLightgbmText } from './lightgbmText.ts';
export { checkMatrix, treeScorer, zeroThreshold } from './treeScorer.ts';
export { type Contributions, treeContributions } from './treeShap.ts';
export {
  type TsmixerParameter,
  tsmixerEpsilon,
  tsmixerOutputs,
  tsmixerParameterCount,
  tsmixerParameters,
} from './tsmixerParameters.ts';
export {
  missingType,
  type Scorer,
  type SequenceScorer,
  type Tree,
  type TreeEnsemble,
  type TsmixerShape,
  type TsmixerWeights,
} from './types.ts';
