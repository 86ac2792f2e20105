// One request through the model: policy, score, deadline, lineage, record. The transport is somebody else's.

import { type Clock, isoTime, type Policy, type ScoreSource } from '../../core/index.ts';
import type { LoadedModel } from '../load/index.ts';
import { type Explanation, explainRows } from './explanation.ts';
import { choosePolicy } from './policy.ts';
import type { Recorder } from './recorder.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';
import { type Fallback, type ScoreParts, type ScoringInput, scoreBy } from './scoring.ts';

/** What is asked, already in the model's own columns. `explain`: an explanation is recorded with the answer. */
export interface Question extends ScoringInput {
  /** as the caller wrote it; undefined = the artifact's default */
  readonly policy: unknown;
  /** [rows] where the caller named them */
  readonly symbols: readonly string[] | null;
  /** [rows] Unix ms where the caller named them */
  readonly times: readonly number[] | null;
  /** when the request arrived, monotonic ms */
  readonly arrivedMs: number;
}

/** What is answered and recorded. */
export interface Answer {
  readonly predictionId: string;
  /** the artifact's lineage id, a slash, and the prediction's own id */
  readonly lineageId: string;
  /** the policy that answered: `tabular_only` in a fall-back */
  readonly policy: Policy;
  /** [rows], finite */
  readonly scores: Float64Array;
  /** null unless the network had a say */
  readonly parts: ScoreParts | null;
  /** the policy that was to answer, and why it did not; null where it did */
  readonly fallback: Fallback | null;
  /** `fallback` or `model` */
  readonly scoreSource: ScoreSource;
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
  /** told why a network failed; the request itself may still be answered */
  readonly onFault: (error: unknown) => void;
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
  const { newId, clock, monotonicMs, deadlineMs, recorder, onFault } = options;

  return async (model, question) => {
    const { manifest, digest } = model;
    const expired = checkExpiry(model, clock());
    if (expired !== undefined) return expired;
    const asked = choosePolicy(manifest, question.policy);
    if (isRefusal(asked)) return asked;
    const late = () => monotonicMs() - question.arrivedMs > deadlineMs;
    if (late()) return tooLate(deadlineMs);
    const scored = await scoreBy(asked, model, question, { late, onFault });
    if (late()) return tooLate(deadlineMs);
    if (isRefusal(scored)) return scored;
    const { policy, scores, parts, fallback } = scored;
    const explanations = question.explain ? explainRows(model, question, scored) : null;
    const predictionId = newId();
    const lineageId = `${manifest.lineage_id}/${predictionId}`;
    const scoreSource = fallback === null ? 'model' : 'fallback';
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
      sequences: asked === 'tabular_only' ? null : question.sequences,
      scores,
      score_source: scoreSource,
      fallback,
      parts,
      explanation: explanations === null ? null : { rows: explanations },
    });
    return {
      predictionId,
      lineageId,
      policy,
      scores,
      parts,
      fallback,
      scoreSource,
      explanations,
    };
  };
}

const tooLate = (deadlineMs: number): Refusal =>
  refuse('deadline', `The request is older than its deadline of ${deadlineMs} ms; ask again.`);
