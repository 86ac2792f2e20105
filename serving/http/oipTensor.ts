// The input tensors of an inference request, in JSON or as raw little-endian bytes, into the float32 rows of a model.

import { type ModelInput, type Refusal, refuse } from '../route/index.ts';

/** An input tensor as the request describes it. */
export interface TensorHead {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly data?: unknown;
}

const bytesPer = { FP32: 4, FP64: 8 } as const;
type Datatype = keyof typeof bytesPer;

const isDatatype = (name: string): name is Datatype => Object.hasOwn(bytesPer, name);

/** The shape of an input: `features [rows, 3]`. */
export const shapeText = ({ name, dims }: ModelInput): string =>
  `${name} [rows, ${dims.join(', ')}]`;

/**
 * Reads a tensor.
 * @param raw its own bytes, where it has a `binary_data_size`
 * @returns [rows, ...dims] row-major float32, NaN = missing; or a refusal `malformed` | `too_large`
 */
export function readTensor(
  head: TensorHead,
  raw: Uint8Array | undefined,
  input: ModelInput,
  maxRows: number,
): Float32Array | Refusal {
  const { shape, datatype } = head;
  const [rows = 0, ...dims] = shape;
  if (rows < 1 || dims.length !== input.dims.length || dims.some((n, i) => n !== input.dims[i])) {
    return refuse(
      'malformed',
      `${input.name} has the shape [rows, ${input.dims.join(', ')}]; found [${shape.join(', ')}].`,
    );
  }
  if (rows > maxRows) {
    return refuse('too_large', `A request holds at most ${maxRows} rows; found ${rows}.`);
  }
  if (!isDatatype(datatype)) {
    return refuse('malformed', `${input.name} is FP32 or FP64; found ${datatype.slice(0, 20)}.`);
  }
  const into = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const refusal =
    head.parameters?.binary_data_size === undefined
      ? readJson(into, head, input)
      : readRaw(into, head, raw, datatype, input);
  return refusal ?? into;
}

function readRaw(
  into: Float32Array,
  { data, parameters }: TensorHead,
  raw: Uint8Array | undefined,
  datatype: Datatype,
  input: ModelInput,
): Refusal | undefined {
  if (data !== undefined) {
    return refuse('malformed', `${input.name} has both data and a binary_data_size; give one.`);
  }
  const expected = into.length * bytesPer[datatype];
  if (raw?.length !== expected) {
    return refuse(
      'malformed',
      `${input.name} as ${datatype} takes ${expected} bytes after the JSON; binary_data_size is ${JSON.stringify(parameters?.binary_data_size)} and ${raw?.length ?? 0} bytes are there (is Inference-Header-Content-Length set?).`,
    );
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  for (let i = 0; i < into.length; i += 1) {
    const value = datatype === 'FP32' ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true);
    const refusal = input.put(into, i, value);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function readJson(
  into: Float32Array,
  { data, shape }: TensorHead,
  input: ModelInput,
): Refusal | undefined {
  const nested = Array.isArray(data) && Array.isArray(data[0]);
  return fill(into, 0, data, nested ? shape : [into.length], input);
}

/** Fills [sizes] from nested arrays, an array of the last size holding the numbers. */
function fill(
  into: Float32Array,
  at: number,
  data: unknown,
  sizes: readonly number[],
  input: ModelInput,
): Refusal | undefined {
  const [length, ...inner] = sizes;
  if (!Array.isArray(data) || data.length !== length) return wrongCount(input);
  const step = inner.reduce((product, size) => product * size, 1);
  for (let i = 0; i < length; i += 1) {
    const refusal =
      inner.length === 0
        ? input.put(into, at + i, data[i])
        : fill(into, at + i * step, data[i], inner, input);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

const wrongCount = (input: ModelInput): Refusal =>
  refuse(
    'malformed',
    `data of ${shapeText(input)} is flat or nested like its shape; found another count.`,
  );
