// ONNX model files as bytes: the one place that knows protobufjs. The messages are in onnx.proto; field
// names stay the format's own. Equal models give equal bytes (fields are written in field-number order).

import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { projectPath, SluiceError } from '../../core/index.ts';

/** Element types of a tensor that we write. */
export const tensorType = { float: 1, uint8: 2, int64: 7, bool: 9, double: 11 } as const;

/** Kinds of an attribute that we write. */
const attributeType = { float: 1, int: 2, tensor: 4, ints: 7 } as const;

/** A constant of a graph, as ONNX stores it. */
export interface OnnxTensor {
  readonly name?: string;
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly raw_data?: Uint8Array;
  readonly external_data?: readonly unknown[];
  readonly data_location?: number;
}

/** A named setting of a node. */
export interface OnnxAttribute {
  readonly name?: string;
  readonly type?: number;
  readonly f?: number;
  readonly i?: number;
  readonly ints: readonly number[];
  readonly t?: OnnxTensor;
  readonly g?: OnnxGraph;
  readonly tensors: readonly OnnxTensor[];
  readonly graphs: readonly OnnxGraph[];
}

/** One operation of a graph. */
export interface OnnxNode {
  readonly op_type?: string;
  readonly domain?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly OnnxAttribute[];
}

interface OnnxValueInfo {
  readonly name: string;
  readonly type: {
    readonly tensor_type: {
      readonly elem_type: number;
      readonly shape: { readonly dim: readonly { dim_value?: number; dim_param?: string }[] };
    };
  };
}

/** Operations from inputs to outputs. */
export interface OnnxGraph {
  readonly name?: string;
  readonly node: readonly OnnxNode[];
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxValueInfo[];
  readonly output: readonly OnnxValueInfo[];
}

/** A model as plain objects; repeated fields are always arrays, absent optional fields are absent. */
export interface OnnxModel {
  readonly ir_version?: number;
  readonly producer_name?: string;
  readonly graph?: OnnxGraph;
  readonly opset_import: readonly { readonly domain?: string; readonly version?: number }[];
  readonly metadata_props: readonly { readonly key?: string; readonly value?: string }[];
  readonly functions?: readonly { readonly name?: string; readonly node: readonly OnnxNode[] }[];
}

let modelType: protobuf.Type | undefined;

function modelMessage(): protobuf.Type {
  if (modelType === undefined) {
    const text = readFileSync(projectPath('models', 'artifact', 'onnx.proto'), 'utf8');
    modelType = protobuf.parse(text, { keepCase: true }).root.lookupType('onnx.ModelProto');
  }
  return modelType;
}

/** The bytes of a model. */
export function encodeOnnx(model: Partial<OnnxModel>): Buffer {
  const type = modelMessage();
  return Buffer.from(type.encode(type.fromObject(model)).finish());
}

/**
 * Reads a model that holds known fields only, each written the one way we write it.
 * @throws SluiceError `input_invalid`: not protobuf, unknown fields, another encoding, integers beyond 2^53
 */
export function decodeOnnx(bytes: Uint8Array): OnnxModel {
  const type = modelMessage();
  const message = decodeMessage(type, bytes);
  if (!Buffer.from(type.encode(message).finish()).equals(bytes)) {
    throw new SluiceError(
      'input_invalid',
      'The ONNX bytes hold unknown fields or another encoding of known ones; expected a file that Sluice wrote.',
    );
  }
  return type.toObject(message, { longs: Number, arrays: true }) as OnnxModel;
}

function decodeMessage(type: protobuf.Type, bytes: Uint8Array): protobuf.Message {
  try {
    return type.decode(bytes);
  } catch (error) {
    throw new SluiceError(
      'input_invalid',
      `The ONNX bytes do not parse: ${(error as Error).message}`,
      {},
      error,
    );
  }
}

/** A float32 attribute. */
export function floatAttribute(name: string, f: number) {
  return { name, type: attributeType.float, f };
}

/** An integer attribute. */
export function intAttribute(name: string, i: number) {
  return { name, type: attributeType.int, i };
}

/** A list of integers as attribute. */
export function intsAttribute(name: string, ints: readonly number[]) {
  return { name, type: attributeType.ints, ints };
}

/** A tensor as attribute. */
export function tensorAttribute(name: string, t: OnnxTensor) {
  return { name, type: attributeType.tensor, t };
}

/** Float32 values as a tensor. */
export function floatTensor(
  values: Float32Array,
  dims: readonly number[],
  name: string,
): OnnxTensor {
  return { name, dims, data_type: tensorType.float, raw_data: floatsToBytes(values) };
}

/** Small integers as a tensor of int64. */
export function longTensor(values: readonly number[], name: string): OnnxTensor {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [i, value] of values.entries()) bytes.writeBigInt64LE(BigInt(value), i * 8);
  return { name, dims: [values.length], data_type: tensorType.int64, raw_data: bytes };
}

/** Float64 values as a tensor. */
export function doubleTensor(
  values: ArrayLike<number>,
  dims: readonly number[] = [values.length],
  name?: string,
): OnnxTensor {
  return named(name, { dims, data_type: tensorType.double, raw_data: doublesToBytes(values) });
}

/** Bytes as a tensor of uint8 or bool. */
export function byteTensor(
  values: Uint8Array,
  type: 'uint8' | 'bool',
  dims: readonly number[] = [values.length],
  name?: string,
): OnnxTensor {
  return named(name, { dims, data_type: tensorType[type], raw_data: values });
}

const named = (name: string | undefined, tensor: OnnxTensor): OnnxTensor =>
  name === undefined ? tensor : { name, ...tensor };

/** Little-endian bytes of float32 values. */
export function floatsToBytes(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (let i = 0; i < values.length; i += 1) bytes.writeFloatLE(values[i]!, i * 4);
  return bytes;
}

/** The float32 values of little-endian bytes; a rest of less than 4 bytes is left out. */
export function bytesToFloats(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) =>
    view.getFloat32(i * 4, true),
  );
}

/** Little-endian bytes of float64 values. */
export function doublesToBytes(values: ArrayLike<number>): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (let i = 0; i < values.length; i += 1) bytes.writeDoubleLE(values[i]!, i * 8);
  return bytes;
}

/** The float64 values of little-endian bytes; a rest of less than 8 bytes is left out. */
export function bytesToDoubles(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) =>
    view.getFloat64(i * 8, true),
  );
}
