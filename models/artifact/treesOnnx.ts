// A tree ensemble as an ONNX model: TreeEnsemble of ai.onnx.ml 5, float64 in, inside and out, with LightGBM's
// handling of missing values and categories, exactly. What TreeSHAP needs beyond the operator's own attributes
// (covers, missing types) travels in the model's metadata, so that the same bytes give back the same ensemble.

import { SluiceError } from '../../core/index.ts';
import type { TreeEnsemble } from '../score/index.ts';
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
import { treatmentNodes } from './treatment.ts';
import { noTrees, type TreeColumns, toColumns, toTrees, treatments } from './treeColumns.ts';
import { ensembleFault } from './treeShape.ts';

/** Names of the model's one input, double [N, F], and one output, double [N, 1]. */
export const tabularInput = 'features';
/** Name of the graph's output, double [N, 1]. */
export const tabularOutput = 'score';

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
    if (!(error instanceof SluiceError)) throw error;
    throw new SluiceError('input_invalid', `The ONNX file holds no valid trees: ${error.message}`);
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

function toModel(ensemble: TreeEnsemble): Partial<OnnxModel> {
  const columns = toColumns(ensemble.trees);
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

function treeAttributes(columns: TreeColumns) {
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

// Reading
function fromModel(model: OnnxModel): TreeEnsemble {
  const node = model.graph?.node.find((candidate) => candidate.op_type === 'TreeEnsemble');
  if (node === undefined) throw noTrees('it has no TreeEnsemble node');
  const columns = readColumns(node.attribute, model.metadata_props);
  const dims = model.graph?.input[0]?.type?.tensor_type?.shape?.dim;
  return { featureCount: dims?.[1]?.dim_value ?? 0, trees: toTrees(columns) };
}

function readColumns(
  attributes: readonly OnnxAttribute[],
  properties: OnnxModel['metadata_props'],
): TreeColumns {
  const of = (name: string) => attributes.find((attribute) => attribute.name === name);
  const raw = (name: string) => of(name)?.t?.raw_data ?? new Uint8Array();
  const ints = (name: string) => [...(of(name)?.ints ?? [])];
  const doubles = (name: string) => [...bytesToDoubles(raw(name))];
  const property = (key: string) =>
    Buffer.from(properties.find((entry) => entry.key === key)?.value ?? '', 'base64');
  const modes = [...raw('nodes_modes')];
  const covers = [...bytesToDoubles(property(metadata.cover))];
  return {
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
}
