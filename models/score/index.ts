export { missingType, type Scorer, type Tree, type TreeEnsemble } from './types.ts';
