// What makes flat arrays a tree: checked before an ensemble is written and after one is read, so that every
// later walk ends and every index is in range.

import { missingType, type Tree, type TreeEnsemble } from '../score/index.ts';

const intMax = 2 ** 31;
/** Arrays of this length are made before anything else is known of a file. */
const maxFeatures = 65_536;

/** First reason why an ensemble is not a sum of well-formed trees with finite leaves, or null. */
export function ensembleFault({ featureCount, trees }: TreeEnsemble): string | null {
  if (!Number.isInteger(featureCount) || featureCount < 1 || featureCount > maxFeatures) {
    return `its feature count is ${featureCount}, expected 1 to ${maxFeatures}`;
  }
  if (trees.length === 0) return 'it has no trees';
  for (const [index, tree] of trees.entries()) {
    const fault = lengthFault(tree) ?? nodeFault(tree, featureCount) ?? shapeFault(tree);
    if (fault !== null) return `tree ${index}: ${fault}`;
  }
  return null;
}

function lengthFault(tree: Tree): string | null {
  const m = tree.splitFeature.length;
  const perNode = [tree.threshold, tree.left, tree.right, tree.defaultLeft, tree.missing];
  const lengths = [...perNode, tree.categories, tree.nodeCover].map((array) => array.length);
  if (lengths.some((length) => length !== m)) return `its node arrays have lengths ${lengths}`;
  const leaves = [tree.leafValue.length, tree.leafCover.length];
  return leaves.some((length) => length !== m + 1) ? `${m} nodes with ${leaves} leaves` : null;
}

function nodeFault(tree: Tree, featureCount: number): string | null {
  for (let i = 0; i < tree.splitFeature.length; i += 1) {
    const feature = tree.splitFeature[i]!;
    if (feature < 0 || feature >= featureCount) return `node ${i} splits on feature ${feature}`;
    if (!isThreshold(tree.threshold[i]!)) return `node ${i} has threshold ${tree.threshold[i]}`;
    if (tree.missing[i]! > missingType.nan) return `node ${i} has an unknown missing type`;
    if (tree.defaultLeft[i]! > 1) return `node ${i} has a default side that is not 0 or 1`;
    const categories = tree.categories[i];
    if (categories != null && !isCategorySet(categories)) {
      return `node ${i} needs a non-empty, increasing list of categories in [0, 2^31)`;
    }
  }
  const numbers = [tree.nodeCover, tree.leafCover, tree.leafValue];
  return numbers.some((array) => !array.every(Number.isFinite)) ? 'a number is not finite' : null;
}

/** LightGBM writes inf where a split parts the missing values from all others. */
const isThreshold = (value: number): boolean => Number.isFinite(value) || value === Infinity;

function isCategorySet(categories: readonly number[]): boolean {
  return (
    categories.length > 0 &&
    categories.every((c, i) => Number.isInteger(c) && c > (categories[i - 1] ?? -1) && c < intMax)
  );
}

/** Every node and leaf is reached from the root exactly once: m nodes, m+1 leaves, 2m edges. */
function shapeFault({ left, right }: Tree): string | null {
  const m = left.length;
  if (m === 0) return null;
  const nodeSeen = new Uint8Array(m);
  const leafSeen = new Uint8Array(m + 1);
  const open = [0];
  while (open.length > 0) {
    const child = open.pop()!;
    const seen = child < 0 ? leafSeen : nodeSeen;
    const index = child < 0 ? ~child : child;
    if (index >= seen.length) return `child ${child} does not exist`;
    if (seen[index] === 1) return `child ${child} has two parents`;
    seen[index] = 1;
    if (child >= 0) open.push(left[child]!, right[child]!);
  }
  const reached = nodeSeen.every((seen) => seen === 1) && leafSeen.every((seen) => seen === 1);
  return reached ? null : 'a node or leaf is not reached from the root';
}
