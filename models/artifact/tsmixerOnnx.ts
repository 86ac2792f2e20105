// A TSMixer as an ONNX model: standard operators, float32. Its initializers are the parameters under their names and in
// their order, its metadata the shape, so that the same bytes give back the same network.

import { z } from 'zod';
import { canonicalJson, parseStrict, SluiceError } from '../../core/index.ts';
import {
  checkTsmixer,
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerEpsilon,
  tsmixerOutputs,
  tsmixerParameters,
  tsmixerShapeFault,
} from '../score/index.ts';
import {
  bytesToFloats,
  decodeOnnx,
  encodeOnnx,
  floatAttribute,
  floatTensor,
  intAttribute,
  intsAttribute,
  longTensor,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  tensorType,
} from './onnx.ts';

/** Name of the model's one input, float [N, L, C], normalised. */
export const networkInput = 'sequence';
/** Name of the graph's output, float [N, O]. */
export const networkOutput = 'score';

const shapeKey = 'sluice.tsmixer';

const shapeSchema: z.ZodType<TsmixerShape> = z.strictObject({
  nTokens: z.int(),
  nChannels: z.int(),
  hidden: z.int(),
  blocks: z.int(),
  horizon: z.int(),
  head: z.enum(['flat', 'temporal']),
  keptChannels: z.int(),
  activation: z.enum(['relu', 'gelu']),
  revin: z.boolean(),
});

/**
 * Writes a network as ONNX; equal networks give equal bytes.
 * @throws SluiceError `out_of_range` | `length_mismatch` | `non_finite`: it is no network
 */
export function encodeTsmixerOnnx(weights: TsmixerWeights): Buffer {
  checkTsmixer(weights);
  return encodeOnnx(toModel(weights));
}

/**
 * Reads what {@link encodeTsmixerOnnx} wrote, and nothing else: the bytes must be the ones it would write.
 * @throws SluiceError `input_invalid`
 */
export function decodeTsmixerOnnx(bytes: Uint8Array): TsmixerWeights {
  const weights = fromModel(decodeOnnx(bytes));
  let again: Buffer;
  try {
    again = encodeTsmixerOnnx(weights);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    throw noNetwork(error.message);
  }
  if (!again.equals(bytes)) throw noNetwork('the graph is not the one that its parameters ask for');
  return weights;
}

const noNetwork = (why: string): SluiceError =>
  new SluiceError(
    'input_invalid',
    `The ONNX file holds no TSMixer: ${why}; expected a file that Sluice wrote.`,
  );

// Writing

function toModel({ shape, values }: TsmixerWeights): Partial<OnnxModel> {
  const { nTokens, nChannels } = shape;
  const graph = graphOf(shape);
  const io = (name: string, dims: readonly number[]) => ({
    name,
    type: {
      tensor_type: {
        elem_type: tensorType.float,
        shape: { dim: [{ dim_param: 'N' }, ...dims.map((dim_value) => ({ dim_value }))] },
      },
    },
  });
  const parameters = tsmixerParameters(shape).map(({ name, dims, offset, size }) =>
    floatTensor(values.subarray(offset, offset + size), columnOr(dims, name, shape), name),
  );
  return {
    ir_version: 10,
    producer_name: 'sluice',
    graph: {
      name: 'nn',
      node: graph.nodes,
      initializer: [...parameters, ...graph.constants],
      input: [io(networkInput, [nTokens, nChannels])],
      output: [io(networkOutput, [tsmixerOutputs(shape)])],
    },
    opset_import: [{ domain: '', version: 21 }],
    metadata_props: [{ key: shapeKey, value: canonicalJson(shape) }],
  };
}

/** A bias over tokens or steps is a column beside the channels. */
function columnOr(dims: readonly number[], name: string, { head }: TsmixerShape) {
  const overTime = name.endsWith('.time.bias') || (name === 'head.bias' && head === 'temporal');
  return overTime ? [...dims, 1] : dims;
}

/** A graph in the making; `add` appends an operation and gives its output's name. */
interface GraphDraft {
  readonly nodes: OnnxNode[];
  readonly constants: OnnxTensor[];
  add(
    op: string,
    input: readonly string[],
    output: string,
    attribute?: readonly Partial<OnnxAttribute>[],
  ): string;
}

function emptyGraph(): GraphDraft {
  const nodes: OnnxNode[] = [];
  return {
    nodes,
    constants: [],
    add(op_type, input, output, attribute = []) {
      nodes.push({
        op_type,
        input,
        output: [output],
        attribute: attribute as readonly OnnxAttribute[],
      });
      return output;
    },
  };
}

function graphOf(shape: TsmixerShape): GraphDraft {
  const graph = emptyGraph();
  let x = shape.revin ? revinIn(graph) : networkInput;
  for (let b = 0; b < shape.blocks; b += 1) x = block(graph, shape, x, `block${b}`);
  if (shape.head === 'flat') {
    const flat = graph.add('Flatten', [x], 'head.flat', [intAttribute('axis', 1)]);
    const transB = intAttribute('transB', 1);
    graph.add('Gemm', [flat, 'head.weight', 'head.bias'], networkOutput, [transB]);
  } else temporalHead(graph, shape, x);
  return graph;
}

/** x [N, L, C] through one block. */
function block({ add }: GraphDraft, shape: TsmixerShape, x: string, name: string): string {
  const act = shape.activation === 'relu' ? 'Relu' : 'Gelu';
  const norm = (of: string, which: string) =>
    add('LayerNormalization', [of, `${which}.gamma`, `${which}.beta`], which, [
      intAttribute('axis', 1),
      floatAttribute('epsilon', tsmixerEpsilon),
    ]);
  const dense = (of: string, layer: string) => {
    const swapped = intsAttribute('perm', [1, 0]);
    const weight = add('Transpose', [`${layer}.weight`], `${layer}.weight_t`, [swapped]);
    const product = add('MatMul', [of, weight], `${layer}.product`);
    return add('Add', [product, `${layer}.bias`], `${layer}.sum`);
  };
  const time = `${name}.time`;
  const product = add(
    'MatMul',
    [`${time}.weight`, norm(x, `${name}.norm_time`)],
    `${time}.product`,
  );
  const sum = add('Add', [product, `${time}.bias`], `${time}.sum`);
  const middle = add('Add', [x, add(act, [sum], `${time}.act`)], `${name}.middle`);
  const up = dense(norm(middle, `${name}.norm_feature`), `${name}.up`);
  const down = dense(add(act, [up], `${name}.up.act`), `${name}.down`);
  return add('Add', [middle, down], name);
}

/** (x - mean) / std * weight + bias, statistics over the tokens of each channel. */
function revinIn({ add, constants }: GraphDraft): string {
  constants.push(
    longTensor([1], 'revin.axes'),
    floatTensor(Float32Array.of(tsmixerEpsilon), [1], 'revin.epsilon'),
  );
  const mean = add('ReduceMean', [networkInput, 'revin.axes'], 'revin.mean');
  const centred = add('Sub', [networkInput, mean], 'revin.centred');
  const squares = add('Mul', [centred, centred], 'revin.squares');
  const variance = add('ReduceMean', [squares, 'revin.axes'], 'revin.variance');
  const raised = add('Add', [variance, 'revin.epsilon'], 'revin.raised');
  const std = add('Sqrt', [raised], 'revin.std');
  const scaled = add('Div', [centred, std], 'revin.scaled');
  return add(
    'Add',
    [add('Mul', [scaled, 'revin.weight'], 'revin.weighted'), 'revin.bias'],
    'revin',
  );
}

/** weight [H, L] times the kept channels of x [N, L, C], and RevIN's way back. */
function temporalHead({ add, constants }: GraphDraft, shape: TsmixerShape, x: string): void {
  const { nChannels, keptChannels, revin } = shape;
  const isCut = keptChannels < nChannels;
  if (isCut) {
    constants.push(longTensor([0], 'kept.from'), longTensor([keptChannels], 'kept.to'));
    constants.push(longTensor([-1], 'kept.axis'));
  }
  const kept = (name: string) =>
    isCut ? add('Slice', [name, 'kept.from', 'kept.to', 'kept.axis'], `${name}.kept`) : name;
  const product = add('MatMul', ['head.weight', kept(x)], 'head.product');
  let y = add('Add', [product, 'head.bias'], 'head.sum');
  if (revin) {
    y = add('Sub', [y, kept('revin.bias')], 'head.unbiased');
    y = add('Div', [y, kept('revin.weight')], 'head.unweighted');
    y = add('Mul', [y, kept('revin.std')], 'head.unscaled');
    y = add('Add', [y, kept('revin.mean')], 'head.shifted');
  }
  add('Flatten', [y], networkOutput, [intAttribute('axis', 1)]);
}

// Reading

function fromModel({ graph, metadata_props }: OnnxModel): TsmixerWeights {
  const tensors = graph?.initializer ?? [];
  const shape = readShape(metadata_props.find(({ key }) => key === shapeKey)?.value ?? '');
  const parts = tsmixerParameters(shape).map(({ name }, i) => {
    const tensor = tensors[i];
    if (tensor?.name !== name) throw noNetwork(`its initializer ${i} is not ${name}`);
    return bytesToFloats(tensor.raw_data ?? new Uint8Array());
  });
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return { shape, values };
}

function readShape(text: string): TsmixerShape {
  let shape: TsmixerShape;
  try {
    shape = parseStrict(shapeSchema, JSON.parse(text), shapeKey);
  } catch (error) {
    throw noNetwork(`its metadata ${shapeKey} gives no shape (${(error as Error).message})`);
  }
  const fault = tsmixerShapeFault(shape);
  if (fault !== null) throw noNetwork(fault);
  return shape;
}
