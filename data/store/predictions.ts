// `predictions`: what was answered to whom, and from which features.

import { z } from 'zod';
import { parseStrict, type ScoreSource, scoreSourceSchema } from '../../core/index.ts';
import { jsonCell, timeCell, timeColumn } from './cells.ts';
import type { Queryable } from './database.ts';

/** One answered request. */
export interface PredictionRow {
  readonly prediction_id: string;
  readonly lineage_id: string;
  readonly artifact_digest: string;
  readonly model_name: string;
  readonly model_version: string;
  readonly policy: string;
  /** Unix ms */
  readonly answered_at: number;
  readonly symbols: readonly string[] | null;
  /** Unix ms per row */
  readonly times: readonly number[] | null;
  /** [rows*F] row-major, NaN = missing */
  readonly features: Float32Array;
  /** [rows*L*C] what the network was shown, row-major, NaN = missing; null if the policy needs none or none was sent */
  readonly sequences: Float32Array | null;
  /** [rows] */
  readonly scores: Float64Array;
  /** `fallback`: the trees answered in place of the policy that was to answer */
  readonly score_source: ScoreSource;
  /** that policy and why it could not; null where it did */
  readonly fallback: { readonly from: string; readonly reason: string } | null;
  /** [rows] what the trees and the network gave; null where the policy is the trees alone */
  readonly parts: {
    readonly tabular: Float64Array | null;
    readonly nn: Float64Array;
  } | null;
  readonly explanation?: Readonly<Record<string, unknown>> | null;
}

const columns =
  'prediction_id, lineage_id, artifact_digest, model_name, model_version, policy, answered_at, symbols, times, features, sequences, scores, score_source, fallback, parts, explanation';

const scoresCell = z.array(z.number()).transform((scores) => Float64Array.from(scores));

const rowSchema = z.strictObject({
  prediction_id: z.string(),
  lineage_id: z.string(),
  artifact_digest: z.string(),
  model_name: z.string(),
  model_version: z.string(),
  policy: z.string(),
  answered_at: timeColumn,
  symbols: z.array(z.string()).nullable(),
  times: z.array(z.number()).nullable(),
  features: z.instanceof(Uint8Array).transform(floatsOf),
  sequences: z.instanceof(Uint8Array).transform(floatsOf).nullable(),
  scores: scoresCell,
  score_source: scoreSourceSchema,
  fallback: z.strictObject({ from: z.string(), reason: z.string() }).nullable(),
  parts: z.strictObject({ tabular: scoresCell.nullable(), nn: scoresCell }).nullable(),
  explanation: z.record(z.string(), z.unknown()).nullable(),
});

/**
 * Adds answers, all or none, in one statement. One that is there already is left as it is, so a batch may
 * be sent again.
 * @throws SluiceError `not_canonical` for a score that is not finite
 */
export async function recordPredictions(
  db: Queryable,
  predictions: readonly PredictionRow[],
): Promise<void> {
  const rows = predictions.map((row) => ({
    ...row,
    answered_at: timeCell(row.answered_at),
    features: base64Of(row.features),
    sequences: row.sequences === null ? null : base64Of(row.sequences),
    scores: Array.from(row.scores),
    parts: row.parts === null ? null : partsCell(row.parts),
    explanation: row.explanation ?? null,
  }));
  await db.query(
    `INSERT INTO predictions (${columns})
     SELECT prediction_id, lineage_id, artifact_digest, model_name, model_version, policy, answered_at, symbols,
       times, decode(features, 'base64'), decode(sequences, 'base64'), scores, score_source, fallback, parts, explanation
     FROM jsonb_to_recordset($1::jsonb) AS row(
       prediction_id text, lineage_id text, artifact_digest text, model_name text, model_version text, policy text,
       answered_at timestamptz, symbols jsonb, times jsonb, features text, sequences text, scores jsonb, score_source text,
       fallback jsonb, parts jsonb, explanation jsonb
     )
     ON CONFLICT (prediction_id) DO NOTHING`,
    [jsonCell(rows)],
  );
}

/** The answer with this id. */
export async function findPrediction(
  db: Queryable,
  id: string,
): Promise<Required<PredictionRow> | undefined> {
  const rows = await db.query(`SELECT ${columns} FROM predictions WHERE prediction_id = $1`, [id]);
  return parseStrict(z.array(rowSchema), rows, 'predictions', 'internal')[0];
}

const partsCell = ({ tabular, nn }: NonNullable<PredictionRow['parts']>) => ({
  tabular: tabular === null ? null : Array.from(tabular),
  nn: Array.from(nn),
});

/** Little-endian bytes, as every machine that Node runs on has them. */
const base64Of = (floats: Float32Array): string =>
  Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength).toString('base64');

/** A copy, for the bytes of a row need not begin at a multiple of four. */
function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
