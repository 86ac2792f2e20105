export { flatTreeScorer } from './flatTrees.ts';
export { parseLightgbmText } from './lightgbmText.ts';
export { normaliseSeries, sequenceScorer } from './sequenceScorer.ts';
export { checkMatrix, treeScorer, zeroThreshold } from './treeScorer.ts';
export { type Contributions, treeContributions } from './treeShap.ts';
export { checkTsmixer, tsmixerShapeFault } from './tsmixerCheck.ts';
export { tsmixerForward } from './tsmixerForward.ts';
export {
  type TsmixerParameter,
  tsmixerEpsilon,
  tsmixerOutputs,
  tsmixerParameterCount,
  tsmixerParameters,
} from './tsmixerParameters.ts';
export { tsmixerErrorBound, tsmixerTolerances } from './tsmixerTolerance.ts';
export {
  missingType,
  type Scorer,
  type SequenceChannel,
  type SequenceScorer,
  type Tree,
  type TreeEnsemble,
  type TsmixerNetwork,
  type TsmixerShape,
  type TsmixerWeights,
} from './types.ts';
