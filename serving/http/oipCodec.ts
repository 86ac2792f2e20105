// Open Inference Protocol v2 on the wire: the inference request and response, in JSON and with the binary
// tensor extension. Source: kserve/open-inference-protocol, triton-inference-server/server docs (extension_binary_data).

import { z } from 'zod';
import { type FeatureColumn, isRefusal, putFeature, type Refusal, refuse } from '../route/index.ts';
import type { HttpResponse } from './exchange.ts';
import { parseJson } from './json.ts';

/** Name of the one input tensor, [rows, F]. */
export const inputName = 'features';
/** Name of the one output tensor, [rows, 1]. */
export const outputName = 'score';
/** Length of the JSON part of a body that goes on with raw tensors. */
export const headerLengthName = 'inference-header-content-length';

const bytesPer = { FP32: 4, FP64: 8 } as const;
type Datatype = keyof typeof bytesPer;

const parametersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

// Unknown keys pass: clients of several vendors add their own (model_name, timeouts) to the standard's.
const requestSchema = z.object({
  id: z.string().max(256).optional(),
  parameters: parametersSchema.optional(),
  inputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(z.int().nonnegative()),
      datatype: z.string(),
      parameters: parametersSchema.optional(),
      data: z.unknown().optional(),
    }),
  ),
  outputs: z
    .array(z.object({ name: z.string(), parameters: parametersSchema.optional() }))
    .optional(),
});

type Envelope = z.infer<typeof requestSchema>;
type InputTensor = Envelope['inputs'][number];

/** A decoded inference request. */
export interface InferRequest {
  /** the caller's id, echoed */
  readonly id: string | undefined;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly rows: number;
  /** [rows*F] row-major float32, NaN = missing */
  readonly features: Float32Array;
  /** true if the score tensor is answered as raw bytes */
  readonly binaryOutput: boolean;
}

/** What a decoder must know of the model and the server. */
export interface InferLimits {
  readonly columns: readonly FeatureColumn[];
  readonly maxRows: number;
}

/**
 * Decodes an inference request.
 * @param headerLength the `Inference-Header-Content-Length` header, undefined = the body is JSON alone
 * @returns a refusal `malformed` | `too_large`
 */
export function decodeInfer(
  body: Uint8Array,
  headerLength: string | undefined,
  limits: InferLimits,
): InferRequest | Refusal {
  const parts = split(body, headerLength);
  if (isRefusal(parts)) return parts;
  const json = parseJson(parts.json);
  if (isRefusal(json)) return json;
  const envelope = requestSchema.safeParse(json.value);
  if (!envelope.success) return refuse('malformed', sentence(envelope.error));
  const { id, parameters = {}, inputs, outputs } = envelope.data;
  const input = inputs[0];
  if (input === undefined || inputs.length > 1 || input.name !== inputName) {
    const found = inputs.map(({ name }) => name).join(', ') || 'none';
    return refuse('malformed', `The model takes one input named ${inputName}; found ${found}.`);
  }
  const features = readTensor(input, parts.raw, limits);
  if (isRefusal(features)) return features;
  const binaryOutput = wantsBinary(outputs, parameters);
  if (isRefusal(binaryOutput)) return binaryOutput;
  return { id, parameters, rows: input.shape[0]!, features, binaryOutput };
}

function split(
  body: Uint8Array,
  headerLength: string | undefined,
): { json: Uint8Array; raw: Uint8Array | undefined } | Refusal {
  if (headerLength === undefined) return { json: body, raw: undefined };
  const length = /^\d{1,9}$/.test(headerLength) ? Number(headerLength) : Number.NaN;
  if (!(length <= body.length)) {
    return refuse(
      'malformed',
      `Inference-Header-Content-Length is the length of the JSON part, at most the body's ${body.length} bytes; found ${headerLength}.`,
    );
  }
  return { json: body.subarray(0, length), raw: body.subarray(length) };
}

function sentence(error: z.ZodError): string {
  const all = error.issues.map(
    ({ path, message }) => `${path.join('.') || 'top level'}: ${message}`,
  );
  return `Not an inference request: ${all.slice(0, 5).join('; ')}.`;
}

function readTensor(
  input: InputTensor,
  raw: Uint8Array | undefined,
  { columns, maxRows }: InferLimits,
): Float32Array | Refusal {
  const [rows = 0, width] = input.shape;
  if (input.shape.length !== 2 || rows < 1 || width !== columns.length) {
    return refuse(
      'malformed',
      `${inputName} has the shape [rows, ${columns.length}]; found [${input.shape.join(', ')}].`,
    );
  }
  if (rows > maxRows) {
    return refuse('too_large', `A request holds at most ${maxRows} rows; found ${rows}.`);
  }
  const datatype = input.datatype;
  if (datatype !== 'FP32' && datatype !== 'FP64') {
    return refuse('malformed', `${inputName} is FP32 or FP64; found ${datatype.slice(0, 20)}.`);
  }
  const size = input.parameters?.binary_data_size;
  if (size === undefined) {
    return raw !== undefined && raw.length > 0
      ? refuse(
          'malformed',
          `${raw.length} bytes follow the JSON, but no input has a binary_data_size.`,
        )
      : readJsonTensor(input.data, rows, columns);
  }
  if (input.data !== undefined) {
    return refuse('malformed', `${inputName} has both data and a binary_data_size; give one.`);
  }
  return readRawTensor(raw, size, datatype, rows, columns);
}

function readRawTensor(
  raw: Uint8Array | undefined,
  size: unknown,
  datatype: Datatype,
  rows: number,
  columns: readonly FeatureColumn[],
): Float32Array | Refusal {
  const count = rows * columns.length;
  const expected = count * bytesPer[datatype];
  if (raw === undefined || size !== expected || raw.length !== expected) {
    return refuse(
      'malformed',
      `${inputName} as ${datatype} takes ${expected} bytes after the JSON; binary_data_size is ${JSON.stringify(size)} and ${raw?.length ?? 0} bytes follow (is Inference-Header-Content-Length set?).`,
    );
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const features = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    const value = datatype === 'FP32' ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true);
    const refusal = putFeature(features, i, value, columns);
    if (refusal !== undefined) return refusal;
  }
  return features;
}

function readJsonTensor(
  data: unknown,
  rows: number,
  columns: readonly FeatureColumn[],
): Float32Array | Refusal {
  const width = columns.length;
  const features = new Float32Array(rows * width);
  const nested = Array.isArray(data) && Array.isArray(data[0]);
  const lines: readonly unknown[] = nested ? (data as unknown[]) : [data];
  const lineLength = nested ? width : rows * width;
  if (lines.length * lineLength !== features.length) return wrongCount(rows, width);
  for (let line = 0, at = 0; line < lines.length; line += 1) {
    const values = lines[line];
    if (!Array.isArray(values) || values.length !== lineLength) return wrongCount(rows, width);
    for (let j = 0; j < lineLength; j += 1, at += 1) {
      const refusal = putFeature(features, at, values[j], columns);
      if (refusal !== undefined) return refusal;
    }
  }
  return features;
}

const wrongCount = (rows: number, width: number): Refusal =>
  refuse(
    'malformed',
    `data of ${inputName} holds ${rows} x ${width} values, flat or one array per row; found another count.`,
  );

function wantsBinary(
  outputs: Envelope['outputs'],
  parameters: Readonly<Record<string, unknown>>,
): boolean | Refusal {
  const all = parameters.binary_data_output === true;
  if (outputs === undefined || outputs.length === 0) return all;
  const unknown = outputs.find(({ name }) => name !== outputName);
  if (unknown !== undefined || outputs.length > 1) {
    return refuse(
      'malformed',
      `The model has one output named ${outputName}; asked for ${outputs.map(({ name }) => name).join(', ')}.`,
    );
  }
  const own = outputs[0]!.parameters?.binary_data;
  return own === undefined ? all : own === true;
}

/**
 * Encodes scores as an inference response.
 * @param head `model_name`, `model_version`, `id`, `parameters`
 */
export function encodeInfer(
  head: Readonly<Record<string, unknown>>,
  scores: Float64Array,
  binary: boolean,
): HttpResponse {
  const tensor = { name: outputName, datatype: 'FP64', shape: [scores.length, 1] };
  if (!binary) {
    const outputs = [{ ...tensor, data: Array.from(scores) }];
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...head, outputs }),
    };
  }
  const outputs = [{ ...tensor, parameters: { binary_data_size: scores.byteLength } }];
  const json = Buffer.from(JSON.stringify({ ...head, outputs }));
  const raw = Buffer.alloc(scores.byteLength);
  scores.forEach((score, i) => {
    raw.writeDoubleLE(score, i * 8);
  });
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      [headerLengthName]: String(json.length),
    },
    body: Buffer.concat([json, raw]),
  };
}
