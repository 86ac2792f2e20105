export { flatTreeScorer } from './flatTrees.ts';
export { parseLightgbmText } from './lightgbmText.ts';
export { checkMatrix, treeScorer, zeroThreshold } from './treeScorer.ts';
export { type Contributions, treeContributions } from './treeShap.ts';
export { missingType, type Scorer, type Tree, type TreeEnsemble } from './types.ts';
