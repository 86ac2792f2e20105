export { parseLightgbmText } from './lightgbmText.ts';
export { checkMatrix, treeScorer, zeroThreshold } from './treeScorer.ts';
export { missingType, type Scorer, type Tree, type TreeEnsemble } from './types.ts';
