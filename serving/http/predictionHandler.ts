// `POST /v1/predictions`: a score by symbol and time, with its explanation and its lineage.

import { z } from 'zod';
import { parseStrict, SluiceError } from '../../core/index.ts';
import type { LoadedModel } from '../load/index.ts';
import {
  type Answer,
  checkHandshake,
  isRefusal,
  putRow,
  putWindow,
  type Refusal,
  refuse,
  targetWeight,
} from '../route/index.ts';
import { type Handler, ok, refusalResponse } from './exchange.ts';
import { parseJson } from './json.ts';
import { countAnswer, notReady, type Service } from './service.ts';

const rowShape = {
  symbol: z.string(),
  /** open of the newest bar behind the features, Unix ms */
  time: z.int(),
  /** share of equity held in the symbol now, for the target's hysteresis and smoothing */
  weight: z.number().default(0),
  /** in schema order, or by name; null = missing; needed by a model with trees */
  features: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]).optional(),
  /** raw channel values of the last bars, oldest first; null = missing; needed by a policy with the network */
  sequence: z.array(z.array(z.unknown())).optional(),
};
const headShape = {
  feature_payload_schema_version: z.string(),
  feature_version: z.string(),
  policy: z.string().optional(),
  explain: z.boolean().default(true),
};
const oneSchema = z.strictObject({ ...headShape, ...rowShape });
const manySchema = z.strictObject({
  ...headShape,
  rows: z.array(z.strictObject(rowShape)).min(1),
});

type Row = z.infer<z.ZodObject<typeof rowShape>>;
type Body = z.infer<typeof oneSchema> | z.infer<typeof manySchema>;

/** Answers `POST /v1/predictions`: one row, or `rows`. */
export const predictions =
  (service: Service): Handler =>
  async (request) => {
    const model = service.model();
    if (model === undefined) return refusalResponse(notReady(service.phase()));
    const body = parseBody(request.body);
    if (isRefusal(body)) return refusalResponse(body);
    const rows: readonly Row[] = 'rows' in body ? body.rows : [body];
    const inputs = gather(model, body, rows, service.limits.maxRows);
    if (isRefusal(inputs)) return refusalResponse(inputs);
    const answer = await service.predict(model, {
      ...inputs,
      rows: rows.length,
      policy: body.policy,
      symbols: rows.map(({ symbol }) => symbol),
      times: rows.map(({ time }) => time),
      arrivedMs: request.arrivedMs,
      explain: body.explain,
    });
    if (isRefusal(answer)) return refusalResponse(answer);
    countAnswer(service, answer);
    const lines = rows.map((row, i) => line(model, row, answer, i));
    const head = describe(model, answer);
    return ok('rows' in body ? { ...head, predictions: lines } : { ...head, ...lines[0] });
  };

/** What is answered for one row. */
function line({ manifest }: LoadedModel, row: Row, answer: Answer, i: number) {
  const score = answer.scores[i]!;
  const { policy, parts, fallback } = answer;
  const weight = targetWeight(manifest, fallback?.from ?? policy, score, row.weight);
  return {
    symbol: row.symbol,
    time: row.time,
    score,
    scores: { [policy]: score },
    ...(parts === null
      ? undefined
      : { parts: { tabular: parts.tabular?.[i] ?? null, nn: parts.nn[i]! } }),
    target: weight === null ? null : { weight },
    ...(answer.explanations === null ? {} : { explanation: answer.explanations[i]! }),
  };
}

function parseBody(bytes: Uint8Array): Body | Refusal {
  const json = parseJson(bytes);
  if (isRefusal(json)) return json;
  const { value } = json;
  const many = typeof value === 'object' && value !== null && Object.hasOwn(value, 'rows');
  try {
    return parseStrict(many ? manySchema : oneSchema, value, 'Prediction request', 'input_invalid');
  } catch (error) {
    if (error instanceof SluiceError) return refuse('malformed', error.message.slice(0, 1000));
    throw error;
  }
}

/** The numbers of all rows. */
interface Inputs {
  /** [rows*F] float32; empty if a model without trees was sent none */
  readonly features: Float32Array;
  /** [rows*L*C] float32, null if a row has none: then no row of the request is answered by the network */
  readonly sequences: Float32Array | null;
}

/** Checks handshake, count and symbols, then reads what the model is shown. */
function gather(
  model: LoadedModel,
  body: Body,
  rows: readonly Row[],
  maxRows: number,
): Inputs | Refusal {
  const { manifest } = model;
  const mismatch = checkHandshake(manifest, {
    feature_payload_schema_version: body.feature_payload_schema_version,
    feature_version: body.feature_version,
  });
  if (mismatch !== undefined) return mismatch;
  if (rows.length > maxRows) {
    return refuse('too_large', `A request holds at most ${maxRows} rows; found ${rows.length}.`);
  }
  for (const { symbol } of rows) {
    const refusal = unknownSymbol(symbol, manifest.symbols);
    if (refusal !== undefined) return refusal;
  }
  const features = gatherFeatures(model, rows);
  if (isRefusal(features)) return features;
  const sequences = gatherWindows(model, rows);
  return isRefusal(sequences) ? sequences : { features, sequences };
}

function gatherFeatures(
  { manifest, trees }: LoadedModel,
  rows: readonly Row[],
): Float32Array | Refusal {
  if (trees === null && rows.every((row) => row.features === undefined)) return new Float32Array(0);
  const columns = manifest.feature_schema;
  const into = new Float32Array(rows.length * columns.length);
  for (const [i, { features }] of rows.entries()) {
    if (features === undefined) return refuse('malformed', `Row ${i} has no features.`);
    const refusal = putRow(into, i * columns.length, features, columns);
    if (refusal !== undefined) return refusal;
  }
  return into;
}

function gatherWindows(
  { network }: LoadedModel,
  rows: readonly Row[],
): Float32Array | null | Refusal {
  const sent = rows.filter(({ sequence }) => sequence !== undefined);
  if (sent.length === 0) return null;
  if (network === null) {
    return refuse('malformed', 'The model has no network that reads a sequence; leave it out.');
  }
  const size = network.nTokens * network.channels.length;
  const into = new Float32Array(rows.length * size);
  for (const [i, { sequence }] of rows.entries()) {
    const refusal = sequence && putWindow(into, i * size, sequence, network);
    if (refusal !== undefined) return refusal;
  }
  return sent.length === rows.length ? into : null;
}

const unknownSymbol = (symbol: string, known: readonly string[]): Refusal | undefined =>
  known.includes(symbol)
    ? undefined
    : refuse(
        'malformed',
        `The model was made for ${known.join(', ')}; found symbol ${JSON.stringify(symbol.slice(0, 40))}.`,
      );

const describe = ({ manifest, digest, keyHint }: LoadedModel, answer: Answer) => ({
  lineage_id: answer.lineageId,
  prediction_id: answer.predictionId,
  model_name: manifest.model_name,
  model_version: manifest.model_version,
  artifact_digest: digest,
  key_hint: keyHint,
  policy: answer.policy,
  score_source: answer.scoreSource,
  ...(answer.fallback === null ? undefined : { fallback: answer.fallback }),
});
