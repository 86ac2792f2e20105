// Trees as the columns of ONNX's TreeEnsemble operator, and back: all nodes of all trees one after another, then all
// leaves. Here LightGBM's rules for missing values become the operator's.

import { SluiceError } from '../../core/index.ts';
import { missingType, type Tree, type TreeEnsemble, zeroThreshold } from '../score/index.ts';
import type { ColumnTreatment } from './treatment.ts';

const mode = { lessOrEqual: 0, member: 6 } as const;

/** The operator's columns over all trees: one entry per node, one per leaf. */
export interface TreeColumns {
  readonly roots: number[];
  readonly modes: number[];
  readonly features: number[];
  readonly splits: number[];
  readonly missingTrue: number[];
  readonly trueIds: number[];
  readonly falseIds: number[];
  readonly trueLeafs: number[];
  readonly falseLeafs: number[];
  readonly members: number[];
  readonly decisions: number[];
  readonly nodeCovers: number[];
  readonly leaves: number[];
  readonly leafCovers: number[];
}

/** The columns of well-formed trees. */
export function toColumns(trees: readonly Tree[]): TreeColumns {
  const columns = emptyColumns();
  for (const tree of trees) appendTree(columns, tree);
  return columns;
}

/**
 * The trees of columns that may hold anything. Whoever needs to know that nothing was lost writes them again and
 * compares; here it is enough to stay in bounds and to end.
 * @throws SluiceError `input_invalid` for columns of different length and roots that do not increase
 */
export function toTrees(columns: TreeColumns): Tree[] {
  assertBounds(columns);
  const members = splitMembers(columns.members);
  let leaf = 0;
  return columns.roots.map((from, index) => {
    const to = columns.roots[index + 1] ?? columns.modes.length;
    const tree = readTree(columns, from, to, leaf, members);
    leaf += tree.leafValue.length;
    return tree;
  });
}

/** The error for an ONNX file without trees as Sluice writes them. */
export const noTrees = (reason: string): SluiceError =>
  new SluiceError('input_invalid', `The ONNX file holds no trees of ours: ${reason}.`);

/**
 * How each column must be treated before nodes may compare it.
 * @throws SluiceError `input_invalid` for a feature that two nodes want treated differently
 */
export function treatments({ featureCount, trees }: TreeEnsemble): ColumnTreatment[] {
  const found = new Array<ColumnTreatment | undefined>(featureCount).fill(undefined);
  for (const tree of trees) {
    for (const [i, feature] of tree.splitFeature.entries()) {
      const wanted = treatmentOf(tree, i);
      if ((found[feature] ?? wanted) !== wanted) {
        throw new SluiceError(
          'input_invalid',
          `Feature ${feature} is split as ${found[feature]} and as ${wanted}; LightGBM gives a feature one missing type, expected the same here.`,
          { feature },
        );
      }
      found[feature] = wanted;
    }
  }
  return found.map((treatment) => treatment ?? 'plain');
}

function treatmentOf(tree: Tree, i: number): ColumnTreatment {
  if (tree.categories[i] != null) return 'category';
  return tree.missing[i] === missingType.zero ? 'zero_is_missing' : 'plain';
}

function emptyColumns(): TreeColumns {
  return {
    roots: [],
    modes: [],
    features: [],
    splits: [],
    missingTrue: [],
    trueIds: [],
    falseIds: [],
    trueLeafs: [],
    falseLeafs: [],
    members: [],
    decisions: [],
    nodeCovers: [],
    leaves: [],
    leafCovers: [],
  };
}

function appendTree(columns: TreeColumns, tree: Tree): void {
  const firstNode = columns.modes.length;
  const firstLeaf = columns.leaves.length;
  columns.roots.push(firstNode);
  for (const value of tree.leafValue) columns.leaves.push(value);
  for (const cover of tree.leafCover) columns.leafCovers.push(cover);
  if (tree.splitFeature.length === 0) appendSingleLeaf(columns, firstLeaf);
  for (let i = 0; i < tree.splitFeature.length; i += 1) {
    const categories = tree.categories[i]!;
    const left = tree.left[i]!;
    const right = tree.right[i]!;
    columns.modes.push(categories === null ? mode.lessOrEqual : mode.member);
    columns.features.push(tree.splitFeature[i]!);
    columns.splits.push(splitOf(tree.threshold[i]!, treatmentOf(tree, i)));
    columns.missingTrue.push(missingGoesLeft(tree, i) ? 1 : 0);
    columns.trueIds.push(left < 0 ? firstLeaf + ~left : firstNode + left);
    columns.falseIds.push(right < 0 ? firstLeaf + ~right : firstNode + right);
    columns.trueLeafs.push(left < 0 ? 1 : 0);
    columns.falseLeafs.push(right < 0 ? 1 : 0);
    if (categories !== null) appendSet(columns.members, categories);
    columns.decisions.push(decisionType(tree, i));
    columns.nodeCovers.push(tree.nodeCover[i]!);
  }
}

/** Sets follow one another, each ended by NaN. */
function appendSet(members: number[], categories: readonly number[]): void {
  for (const category of categories) members.push(category);
  members.push(Number.NaN);
}

/** ONNX wants a node per tree: one whose two sides are the same leaf. */
function appendSingleLeaf(columns: TreeColumns, leaf: number): void {
  columns.modes.push(mode.lessOrEqual);
  columns.features.push(0);
  columns.splits.push(0);
  columns.missingTrue.push(0);
  columns.trueIds.push(leaf);
  columns.falseIds.push(leaf);
  columns.trueLeafs.push(1);
  columns.falseLeafs.push(1);
  columns.decisions.push(0);
  columns.nodeCovers.push(0);
}

/** The largest float64 below -1e-35f. */
const belowZeroBand = -zeroThreshold - zeroThreshold * (Number.EPSILON / 2);

/**
 * The split that treats every |x| <= 1e-35f as 0, as LightGBM does before it compares: a threshold inside that band
 * moves to the edge on its own side of 0, so that no op is needed in front.
 */
function splitOf(threshold: number, treatment: ColumnTreatment): number {
  if (treatment !== 'plain' || Math.abs(threshold) > zeroThreshold) return threshold;
  return threshold >= 0 ? zeroThreshold : belowZeroBand;
}

/** Back from {@link splitOf}; LightGBM's own thresholds in the band are its two edges. */
function thresholdOf({ splits, modes, decisions }: TreeColumns, i: number): number {
  const plain = modes[i] !== mode.member && decisions[i]! >> 2 !== missingType.zero;
  return plain && splits[i] === belowZeroBand ? -zeroThreshold : splits[i]!;
}

/** Where NaN goes: missing type none reads it as 0; a category that is NaN is in no set. */
function missingGoesLeft(tree: Tree, i: number): boolean {
  if (tree.categories[i] != null) return false;
  return tree.missing[i] === missingType.none ? tree.threshold[i]! >= 0 : tree.defaultLeft[i] === 1;
}

/** LightGBM's own byte: bit 0 categorical, bit 1 default left, bits 2-3 missing type. */
function decisionType(tree: Tree, i: number): number {
  return (
    (tree.categories[i] == null ? 0 : 1) | (tree.defaultLeft[i]! << 1) | (tree.missing[i]! << 2)
  );
}

function readTree(
  columns: TreeColumns,
  from: number,
  to: number,
  firstLeaf: number,
  members: IterableIterator<readonly number[]>,
): Tree {
  const single =
    to - from === 1 &&
    columns.trueLeafs[from] === 1 &&
    columns.trueIds[from] === columns.falseIds[from];
  const nodes = single ? [] : range(from, to);
  const leafTo = firstLeaf + nodes.length + 1;
  const child = (ids: number[], leafs: number[]) =>
    Int32Array.from(nodes, (i) => (leafs[i] === 1 ? ~(ids[i]! - firstLeaf) : ids[i]! - from));
  return {
    splitFeature: Int32Array.from(nodes, (i) => columns.features[i]!),
    threshold: Float64Array.from(nodes, (i) => thresholdOf(columns, i)),
    left: child(columns.trueIds, columns.trueLeafs),
    right: child(columns.falseIds, columns.falseLeafs),
    defaultLeft: Uint8Array.from(nodes, (i) => (columns.decisions[i]! >> 1) & 1),
    missing: Uint8Array.from(nodes, (i) => columns.decisions[i]! >> 2),
    categories: nodes.map((i) =>
      columns.modes[i] === mode.member ? (members.next().value ?? []) : null,
    ),
    nodeCover: Float64Array.from(nodes, (i) => columns.nodeCovers[i]!),
    leafValue: Float64Array.from(columns.leaves.slice(firstLeaf, leafTo)),
    leafCover: Float64Array.from(columns.leafCovers.slice(firstLeaf, leafTo)),
  };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

function* splitMembers(members: readonly number[]): IterableIterator<readonly number[]> {
  let from = 0;
  for (let at = 0; at < members.length; at += 1) {
    if (!Number.isNaN(members[at])) continue;
    yield members.slice(from, at);
    from = at + 1;
  }
}

function assertBounds(columns: TreeColumns): void {
  const { roots, modes, features, splits, trueIds, falseIds, trueLeafs, falseLeafs } = columns;
  const perNode = [features, splits, trueIds, falseIds, trueLeafs, falseLeafs, columns.decisions];
  if (perNode.some((column) => column.length !== modes.length)) {
    throw noTrees('the node columns differ in length');
  }
  if (roots[0] !== 0 || roots.some((root, i) => root >= (roots[i + 1] ?? modes.length))) {
    throw noTrees('the tree roots do not increase from 0 within the nodes');
  }
}
