// A tree ensemble as an ONNX model: TreeEnsemble of ai.onnx.ml 5, float64 in, inside and out, with LightGBM's
// handling of missing values and categories, exactly. What TreeSHAP needs beyond the operator's own attributes
// (covers, missing types) travels in the model's metadata, so that the same bytes give back the same ensemble.

import { asSluiceError, SluiceError } from '../../core/index.ts';
import { missingType, type Tree, type TreeEnsemble, zeroThreshold } from '../score/index.ts';
import {
  bytesToDoubles,
  byteTensor,
  decodeOnnx,
  doublesToBytes,
  doubleTensor,
  encodeOnnx,
  intAttribute,
  intsAttribute,
  type OnnxAttribute,
  type OnnxModel,
  tensorAttribute,
  tensorType,
} from './onnx.ts';
import { type ColumnTreatment, treatmentNodes } from './treatment.ts';
import { ensembleFault } from './treeShape.ts';

/** Names of the model's one input, double [N, F], and one output, double [N, 1]. */
export const tabularInput = 'features';
export const tabularOutput = 'score';

const mode = { lessOrEqual: 0, member: 6 } as const;
const metadata = { decision: 'sluice.decision_type', cover: 'sluice.cover' } as const;

/**
 * Writes an ensemble as ONNX; equal ensembles give equal bytes.
 * @returns a model that ONNX Runtime scores bit-equal to LightGBM if the leaf values lie on the trainer's grid
 * @throws SluiceError `input_invalid` for malformed trees, or a feature split in two ways that one column cannot serve
 */
export function encodeTreesOnnx(ensemble: TreeEnsemble): Buffer {
  const fault = ensembleFault(ensemble);
  if (fault !== null) {
    throw new SluiceError('input_invalid', `The ensemble cannot be written as ONNX: ${fault}.`);
  }
  return encodeOnnx(toModel(ensemble));
}

/**
 * Reads what {@link encodeTreesOnnx} wrote, and nothing else: the bytes must be the ones it would write.
 * @throws SluiceError `input_invalid`
 */
export function decodeTreesOnnx(bytes: Uint8Array): TreeEnsemble {
  const ensemble = fromModel(decodeOnnx(bytes));
  let again: Buffer;
  try {
    again = encodeTreesOnnx(ensemble);
  } catch (error) {
    const { message } = asSluiceError(error);
    throw new SluiceError('input_invalid', `The ONNX file holds no valid trees: ${message}`);
  }
  if (!again.equals(bytes)) {
    throw new SluiceError(
      'input_invalid',
      'The ONNX graph is not the one that its trees ask for; expected a file that Sluice wrote.',
    );
  }
  return ensemble;
}

// Writing

/** The operator's columns over all trees: one entry per node, one per leaf. */
interface Columns {
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

function toModel(ensemble: TreeEnsemble): Partial<OnnxModel> {
  const columns = emptyColumns();
  for (const tree of ensemble.trees) appendTree(columns, tree);
  const front = treatmentNodes(treatments(ensemble), tabularInput);
  const io = (name: string, width: number) => ({
    name,
    type: {
      tensor_type: {
        elem_type: tensorType.double,
        shape: { dim: [{ dim_param: 'N' }, { dim_value: width }] },
      },
    },
  });
  const trees = {
    op_type: 'TreeEnsemble',
    domain: 'ai.onnx.ml',
    input: [front.output],
    output: [tabularOutput],
    attribute: treeAttributes(columns) as OnnxAttribute[],
  };
  return {
    ir_version: 10,
    producer_name: 'sluice',
    graph: {
      name: 'tabular',
      node: [...front.nodes, trees],
      initializer: front.initializers,
      input: [io(tabularInput, ensemble.featureCount)],
      output: [io(tabularOutput, 1)],
    },
    opset_import: [
      { domain: '', version: 21 },
      { domain: 'ai.onnx.ml', version: 5 },
    ],
    metadata_props: [
      { key: metadata.decision, value: Buffer.from(columns.decisions).toString('base64') },
      {
        key: metadata.cover,
        value: doublesToBytes([...columns.nodeCovers, ...columns.leafCovers]).toString('base64'),
      },
    ],
  };
}

function emptyColumns(): Columns {
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

function appendTree(columns: Columns, tree: Tree): void {
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
    if (categories !== null) columns.members.push(...categories, Number.NaN);
    columns.decisions.push(decisionType(tree, i));
    columns.nodeCovers.push(tree.nodeCover[i]!);
  }
}

/** ONNX wants a node per tree: one whose two sides are the same leaf. */
function appendSingleLeaf(columns: Columns, leaf: number): void {
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
const thresholdOf = (split: number): number => (split === belowZeroBand ? -zeroThreshold : split);

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

function treatments({ featureCount, trees }: TreeEnsemble): ColumnTreatment[] {
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

function treeAttributes(columns: Columns) {
  const members =
    columns.members.length === 0
      ? []
      : [tensorAttribute('membership_values', doubleTensor(columns.members))];
  return [
    intAttribute('aggregate_function', 1),
    intAttribute('n_targets', 1),
    intAttribute('post_transform', 0),
    intsAttribute('tree_roots', columns.roots),
    tensorAttribute('nodes_modes', byteTensor(Uint8Array.from(columns.modes), 'uint8')),
    intsAttribute('nodes_featureids', columns.features),
    tensorAttribute('nodes_splits', doubleTensor(columns.splits)),
    intsAttribute('nodes_missing_value_tracks_true', columns.missingTrue),
    intsAttribute('nodes_truenodeids', columns.trueIds),
    intsAttribute('nodes_falsenodeids', columns.falseIds),
    intsAttribute('nodes_trueleafs', columns.trueLeafs),
    intsAttribute('nodes_falseleafs', columns.falseLeafs),
    ...members,
    tensorAttribute('leaf_weights', doubleTensor(columns.leaves)),
    intsAttribute('leaf_targetids', new Array<number>(columns.leaves.length).fill(0)),
  ];
}

// Reading. The comparison of bytes at the end of decodeTreesOnnx proves every value; here it is enough to
// stay in bounds and to end.

function fromModel(model: OnnxModel): TreeEnsemble {
  const node = model.graph?.node.find((candidate) => candidate.op_type === 'TreeEnsemble');
  if (node === undefined) throw unreadable('it has no TreeEnsemble node');
  const columns = readColumns(node.attribute, model.metadata_props);
  const dims = model.graph?.input[0]?.type?.tensor_type?.shape?.dim;
  const members = splitMembers(columns.members);
  let leaf = 0;
  const trees = columns.roots.map((from, index) => {
    const to = columns.roots[index + 1] ?? columns.modes.length;
    const tree = readTree(columns, from, to, leaf, members);
    leaf += tree.leafValue.length;
    return tree;
  });
  return { featureCount: dims?.[1]?.dim_value ?? 0, trees };
}

function readTree(
  columns: Columns,
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
    threshold: Float64Array.from(nodes, (i) => thresholdOf(columns.splits[i]!)),
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

function readColumns(
  attributes: readonly OnnxAttribute[],
  properties: OnnxModel['metadata_props'],
): Columns {
  const of = (name: string) => attributes.find((attribute) => attribute.name === name);
  const raw = (name: string) => of(name)?.t?.raw_data ?? new Uint8Array();
  const ints = (name: string) => [...(of(name)?.ints ?? [])];
  const doubles = (name: string) => [...bytesToDoubles(raw(name))];
  const property = (key: string) =>
    Buffer.from(properties.find((entry) => entry.key === key)?.value ?? '', 'base64');
  const modes = [...raw('nodes_modes')];
  const covers = [...bytesToDoubles(property(metadata.cover))];
  const columns = {
    roots: ints('tree_roots'),
    modes,
    features: ints('nodes_featureids'),
    splits: doubles('nodes_splits'),
    missingTrue: ints('nodes_missing_value_tracks_true'),
    trueIds: ints('nodes_truenodeids'),
    falseIds: ints('nodes_falsenodeids'),
    trueLeafs: ints('nodes_trueleafs'),
    falseLeafs: ints('nodes_falseleafs'),
    members: doubles('membership_values'),
    decisions: [...property(metadata.decision)],
    nodeCovers: covers.slice(0, modes.length),
    leaves: doubles('leaf_weights'),
    leafCovers: covers.slice(modes.length),
  };
  assertBounds(columns);
  return columns;
}

function assertBounds(columns: Columns): void {
  const { roots, modes, features, splits, trueIds, falseIds, trueLeafs, falseLeafs } = columns;
  const perNode = [features, splits, trueIds, falseIds, trueLeafs, falseLeafs, columns.decisions];
  if (perNode.some((column) => column.length !== modes.length)) {
    throw unreadable('the node columns differ in length');
  }
  if (roots[0] !== 0 || roots.some((root, i) => root >= (roots[i + 1] ?? modes.length))) {
    throw unreadable('the tree roots do not increase from 0 within the nodes');
  }
}

const unreadable = (reason: string): SluiceError =>
  new SluiceError('input_invalid', `The ONNX file holds no trees of ours: ${reason}.`);
