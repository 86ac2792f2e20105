// The main job, step by step.
export {
  configDigest,
  type RetrainConfig,
  readRetrainConfig,
  retrainConfigSchema,
} from './config.ts';
export { chooseEngine, type EngineOptions } from './engine.ts';
export { redrawReport } from './reportDocument.ts';
export { type RetrainRequest, retrain } from './retrain.ts';
export type { GateQuestion, Judge } from './storedRun.ts';
export { type TrainedArtifact, type TrainRequest, trainNetwork } from './trainNetwork.ts';
export {
  type Confirmation,
  confirmationSamples,
  confirmTrial,
  openTrialMarket,
  type TrialBars,
  type TrialFits,
  type TrialMarket,
  type TrialRun,
  type WindowSamples,
  walkForwardTrial,
  windowSamples,
} from './trialRun.ts';
