// What an ONNX file may never hold, whatever it computes: operators outside the list, functions, subgraphs,
// and data that lie outside the file.

import { SluiceError } from '../../core/index.ts';
import { decodeOnnx, type OnnxGraph, type OnnxModel, type OnnxTensor } from './onnx.ts';
import { type Violation, violation } from './violations.ts';

const plain = (...ops: readonly string[]) => ops.map((op) => `:${op}`);

/** Operators that a model of trees or a network may use, as domain:operator. */
const allowedOps = {
  trees: new Set([
    'ai.onnx.ml:TreeEnsemble',
    ...plain('Abs', 'And', 'Floor', 'LessOrEqual', 'Mul', 'Sign', 'Where'),
  ]),
  network: new Set([
    ...plain('LayerNormalization', 'MatMul', 'Gemm', 'Transpose', 'Relu', 'Gelu', 'Flatten'),
    ...plain('Add', 'Sub', 'Mul', 'Div', 'Sqrt', 'ReduceMean', 'Slice'),
  ]),
} as const satisfies Record<string, ReadonlySet<string>>;

/** What an ONNX file is said to hold. */
export type OnnxKind = keyof typeof allowedOps;

/** All that is forbidden in the bytes, or that they are no ONNX file. */
export function refusedContent(bytes: Uint8Array, kind: OnnxKind): Violation[] {
  let model: OnnxModel;
  try {
    model = decodeOnnx(bytes);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return [violation('onnx_invalid', error.message)];
  }
  const { graph, functions = [] } = model;
  if (graph === undefined) return [violation('onnx_invalid', 'The ONNX file has no graph.')];
  const found = functions.map(({ name }) =>
    violation('onnx_op_refused', `The file defines a function "${name}".`),
  );
  return [...found, ...refusedOps(graph, allowedOps[kind]), ...externalData(graph)];
}

function refusedOps(graph: OnnxGraph, allowed: ReadonlySet<string>): Violation[] {
  const ops = new Set(graph.node.map(({ domain = '', op_type = '' }) => `${domain}:${op_type}`));
  const strangers = [...ops].filter((op) => !allowed.has(op));
  const found = strangers.map((op) =>
    violation('onnx_op_refused', `Operator "${op}" is not allowed.`),
  );
  const attributes = graph.node.flatMap(({ attribute }) => attribute);
  if (attributes.some(({ g, graphs }) => g !== undefined || graphs.length > 0)) {
    found.push(violation('onnx_op_refused', 'A node holds a subgraph.'));
  }
  return found;
}

function externalData(graph: OnnxGraph): Violation[] {
  const attributes = graph.node.flatMap(({ attribute }) => attribute);
  const inAttributes = attributes.flatMap(({ t, tensors }) => (t ? [t, ...tensors] : tensors));
  const tensors: OnnxTensor[] = [...graph.initializer, ...inAttributes];
  const outside = tensors.filter(
    ({ external_data, data_location }) =>
      (external_data?.length ?? 0) > 0 || (data_location ?? 0) !== 0,
  );
  return outside.map(({ name }) =>
    violation('onnx_external_data', `Tensor "${name ?? ''}" keeps its data outside the file.`),
  );
}
