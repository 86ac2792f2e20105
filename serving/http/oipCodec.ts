// Open Inference Protocol v2 on the wire: the inference request and response, in JSON and with the binary
// tensor extension. Source: kserve/open-inference-protocol, triton-inference-server/server docs (extension_binary_data).

import { z } from 'zod';
import { isRefusal, type ModelInput, type Refusal, refuse } from '../route/index.ts';
import type { HttpResponse } from './exchange.ts';
import { parseJson } from './json.ts';
import { readTensor, shapeText } from './oipTensor.ts';

/** Length of the JSON part of a body that goes on with raw tensors. */
export const headerLengthName = 'inference-header-content-length';

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
type Inputs = ReadonlyMap<ModelInput['name'], Float32Array>;

/** A decoded inference request. */
export interface InferRequest {
  /** the caller's id, echoed */
  readonly id: string | undefined;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly rows: number;
  /** [rows, ...dims] row-major float32 of the inputs that were sent, NaN = missing */
  readonly inputs: Inputs;
  /** the outputs asked for, in their order */
  readonly outputs: readonly OutputRequest[];
}

/** An output that is asked for. */
export interface OutputRequest {
  readonly name: string;
  /** true if it is answered as raw bytes */
  readonly binary: boolean;
}

/** What a decoder must know of the model and the server. */
export interface InferLimits {
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly string[];
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
  const { id, parameters = {} } = envelope.data;
  const inputs = readInputs(envelope.data.inputs, parts.raw, limits);
  if (isRefusal(inputs)) return inputs;
  const outputs = readOutputs(envelope.data.outputs, parameters, limits.outputs);
  if (isRefusal(outputs)) return outputs;
  const rows = envelope.data.inputs[0]!.shape[0]!;
  return { id, parameters, rows, inputs, outputs };
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

/** Reads every tensor; raw ones follow each other in the order of the inputs and fill what follows the JSON. */
function readInputs(
  sent: Envelope['inputs'],
  raw: Uint8Array | undefined,
  { inputs, maxRows }: InferLimits,
): Inputs | Refusal {
  const wrong = wrongInputs(sent, inputs);
  if (wrong !== undefined) return wrong;
  const tensors = new Map<ModelInput['name'], Float32Array>();
  let at = 0;
  for (const head of sent) {
    const input = inputs.find(({ name }) => name === head.name)!;
    const size = head.parameters?.binary_data_size;
    const end = typeof size === 'number' ? at + size : at;
    const tensor = readTensor(head, raw?.subarray(at, end), input, maxRows);
    if (isRefusal(tensor)) return tensor;
    tensors.set(input.name, tensor);
    at = end;
  }
  if ((raw?.length ?? 0) === at) return tensors;
  return refuse(
    'malformed',
    `${raw?.length ?? 0} bytes follow the JSON; the inputs' binary_data_size makes ${at}.`,
  );
}

/** Unknown, repeated or lacking inputs, and inputs of different rows. */
function wrongInputs(sent: Envelope['inputs'], inputs: readonly ModelInput[]): Refusal | undefined {
  const names = sent.map(({ name }) => name);
  const known = inputs.filter(({ name }) => names.includes(name));
  if (known.length !== names.length || inputs.some((one) => one.required && !known.includes(one))) {
    const wanted = inputs.map((one) => `${one.required ? '' : 'optional '}${shapeText(one)}`);
    return refuse(
      'malformed',
      `The model takes ${wanted.join(' and ')}; found ${names.join(', ') || 'no input'}.`,
    );
  }
  const rows = sent.map(({ shape }) => shape[0]);
  if (rows.every((count) => count === rows[0])) return undefined;
  return refuse(
    'malformed',
    `The inputs ${names.join(' and ')} have equally many rows; found ${rows.join(' and ')}.`,
  );
}

function readOutputs(
  asked: Envelope['outputs'],
  parameters: Readonly<Record<string, unknown>>,
  known: readonly string[],
): readonly OutputRequest[] | Refusal {
  const binary = parameters.binary_data_output === true;
  if (asked === undefined || asked.length === 0) return known.map((name) => ({ name, binary }));
  const names = asked.map(({ name }) => name);
  if (names.some((name, i) => !known.includes(name) || names.indexOf(name) !== i)) {
    return refuse(
      'malformed',
      `The model's outputs are ${known.join(', ')}, each once; asked for ${names.join(', ')}.`,
    );
  }
  return asked.map(({ name, parameters: own }) => {
    const wanted = own?.binary_data;
    return { name, binary: wanted === undefined ? binary : wanted === true };
  });
}

/** An output tensor, FP64 [rows, 1]. */
export interface OutputTensor extends OutputRequest {
  readonly scores: Float64Array;
}

/**
 * Encodes an inference response; raw tensors follow the JSON in their order.
 * @param head `model_name`, `model_version`, `id`, `parameters`
 */
export function encodeInfer(
  head: Readonly<Record<string, unknown>>,
  tensors: readonly OutputTensor[],
): HttpResponse {
  const outputs = tensors.map(({ name, scores, binary }) => ({
    name,
    datatype: 'FP64',
    shape: [scores.length, 1],
    ...(binary
      ? { parameters: { binary_data_size: scores.byteLength } }
      : { data: Array.from(scores) }),
  }));
  const text = JSON.stringify({ ...head, outputs });
  const raw = tensors.filter(({ binary }) => binary);
  if (raw.length === 0) {
    return { status: 200, headers: { 'content-type': 'application/json' }, body: text };
  }
  const json = Buffer.from(text);
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      [headerLengthName]: String(json.length),
    },
    body: Buffer.concat([json, ...raw.map(({ scores }) => bytesOf(scores))]),
  };
}

/** Little-endian, whatever the machine. */
function bytesOf(scores: Float64Array): Buffer {
  const bytes = Buffer.alloc(scores.byteLength);
  for (const [i, score] of scores.entries()) bytes.writeDoubleLE(score, i * 8);
  return bytes;
}
