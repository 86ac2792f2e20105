// One request through the model: policy, score, deadline, lineage, record. The transport is somebody else's.

import { type Clock, isoTime, type Policy } from '../../core/index.ts';
import type { LoadedModel } from '../load/index.ts';
import { type Explanation, explainRows } from './explanation.ts';
import { choosePolicy } from './policy.ts';
import type { Recorder } from './recorder.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';

/** What is asked, already in the model's own columns. */
export interface Question {
  /** [rows*F] row-major float32, NaN = missing */
  readonly features: Float32Array;
  readonly rows: number;
  /** as the caller wrote it; undefined = the artifact's default */
  readonly policy: unknown;
  /** [rows] where the caller named them */
  readonly symbols: readonly string[] | null;
  /** [rows] Unix ms where the caller named them */
  readonly times: readonly number[] | null;
  /** when the request arrived, monotonic ms */
  readonly arrivedMs: number;
  /** whether the answer is to be explained; an explanation is recorded with it */
  readonly explain: boolean;
}

/** What is answered and recorded. */
export interface Answer {
  readonly predictionId: string;
  /** the artifact's lineage id, a slash, and the prediction's own id */
  readonly lineageId: string;
  readonly policy: Policy;
  /** [rows], finite */
  readonly scores: Float64Array;
  /** [rows], null if not asked for */
  readonly explanations: readonly Explanation[] | null;
}

/** What a predictor is made of. */
export interface PredictorOptions {
  readonly newId: () => string;
  readonly clock: Clock;
  /** monotonic milliseconds; the same clock that stamps `arrivedMs` */
  readonly monotonicMs: () => number;
  /** an answer later than this after arrival is refused: a stale score must not trade */
  readonly deadlineMs: number;
  readonly recorder: Recorder | undefined;
}

/** Answers one question with one model. */
export type Predict = (model: LoadedModel, question: Question) => Promise<Answer | Refusal>;

/** Expiry is checked at load and again with every answer: a process may live longer than its model. */
export function checkExpiry({ manifest }: LoadedModel, nowMs: number): Refusal | undefined {
  if (nowMs < manifest.expires_at) return undefined;
  return refuse('expired', `The artifact expired on ${isoTime(manifest.expires_at)}.`);
}

/** Wires {@link Predict} to its clocks, ids and recorder. */
export function createPredictor(options: PredictorOptions): Predict {
  const { newId, clock, monotonicMs, deadlineMs, recorder } = options;
  const late = (arrivedMs: number): Refusal | undefined =>
    monotonicMs() - arrivedMs > deadlineMs
      ? refuse('deadline', `The request is older than its deadline of ${deadlineMs} ms; ask again.`)
      : undefined;

  return async (model, question) => {
    const { manifest, digest } = model;
    const expired = checkExpiry(model, clock());
    if (expired !== undefined) return expired;
    const policy = choosePolicy(manifest, question.policy);
    if (isRefusal(policy)) return policy;
    const tooOld = late(question.arrivedMs);
    if (tooOld !== undefined) return tooOld;
    const scores = await model.score(question.features, question.rows);
    const tooLate = late(question.arrivedMs);
    if (tooLate !== undefined) return tooLate;
    const explanations = question.explain ? explainRows(model, question.features) : null;
    const predictionId = newId();
    const lineageId = `${manifest.lineage_id}/${predictionId}`;
    recorder?.record({
      prediction_id: predictionId,
      lineage_id: lineageId,
      artifact_digest: digest,
      model_name: manifest.model_name,
      model_version: manifest.model_version,
      policy,
      answered_at: clock(),
      symbols: question.symbols,
      times: question.times,
      features: question.features,
      scores,
      explanation: explanations === null ? null : { rows: explanations },
    });
    return { predictionId, lineageId, policy, scores, explanations };
  };
}
