// `POST /v1/predictions`: a score by symbol and time, with its explanation and its lineage.

import { z } from 'zod';
import { parseStrict, SluiceError } from '../../core/index.ts';
import type { LoadedModel } from '../load/index.ts';
import {
  type Answer,
  checkHandshake,
  isRefusal,
  putRow,
  type Refusal,
  refuse,
  targetWeight,
} from '../route/index.ts';
import { type Handler, ok, refusalResponse } from './exchange.ts';
import { parseJson } from './json.ts';
import { notReady, type Service } from './service.ts';

const rowShape = {
  symbol: z.string(),
  /** open of the newest bar behind the features, Unix ms */
  time: z.int(),
  /** share of equity held in the symbol now, for the target's hysteresis and smoothing */
  weight: z.number().default(0),
  /** in schema order, or by name; null = missing */
  features: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]),
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
    const features = gather(model, body, rows, service.limits.maxRows);
    if (isRefusal(features)) return refusalResponse(features);
    const answer = await service.predict(model, {
      features,
      rows: rows.length,
      policy: body.policy,
      symbols: rows.map(({ symbol }) => symbol),
      times: rows.map(({ time }) => time),
      arrivedMs: request.arrivedMs,
      explain: body.explain,
    });
    if (isRefusal(answer)) return refusalResponse(answer);
    service.metrics.predicted(answer.policy, rows.length);
    const lines = rows.map((row, i) => line(model, row, answer, i));
    const head = describe(model, answer);
    return ok('rows' in body ? { ...head, predictions: lines } : { ...head, ...lines[0] });
  };

/** What is answered for one row. */
function line({ manifest }: LoadedModel, row: Row, answer: Answer, i: number) {
  const score = answer.scores[i]!;
  const weight = targetWeight(manifest, score, row.weight);
  return {
    symbol: row.symbol,
    time: row.time,
    score,
    scores: { [answer.policy]: score },
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

/** Checks handshake, count and symbols, then fills [rows*F] float32. */
function gather(
  { manifest }: LoadedModel,
  body: Body,
  rows: readonly Row[],
  maxRows: number,
): Float32Array | Refusal {
  const mismatch = checkHandshake(manifest, {
    feature_payload_schema_version: body.feature_payload_schema_version,
    feature_version: body.feature_version,
  });
  if (mismatch !== undefined) return mismatch;
  if (rows.length > maxRows) {
    return refuse('too_large', `A request holds at most ${maxRows} rows; found ${rows.length}.`);
  }
  const columns = manifest.feature_schema;
  const features = new Float32Array(rows.length * columns.length);
  for (const [i, row] of rows.entries()) {
    const refusal =
      unknownSymbol(row.symbol, manifest.symbols) ??
      putRow(features, i * columns.length, row.features, columns);
    if (refusal !== undefined) return refusal;
  }
  return features;
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
});
