// Which policy answers, on which features, and why: from a caller's words to a recorded score.
export type { Explanation } from './explanation.ts';
export { putRow } from './featureRow.ts';
export { checkHandshake } from './handshake.ts';
export { type ModelInput, modelInputs } from './modelInput.ts';
export { choosePolicy } from './policy.ts';
export {
  type Answer,
  checkExpiry,
  createPredictor,
  type Predict,
  type Question,
} from './predictor.ts';
export {
  createRecorder,
  type PredictionRecord,
  type Recorder,
  type RecordSink,
} from './recorder.ts';
export { isRefusal, type Refusal, type RefusalReason, refusalStatus, refuse } from './refusal.ts';
export { type Fallback, fallbackReasons } from './scoring.ts';
export { targetWeight } from './target.ts';
export { putWindow } from './window.ts';
