// The main job, step by step.
export {
  configDigest,
  type RetrainConfig,
  readRetrainConfig,
  retrainConfigSchema,
} from './config.ts';
export { chooseEngine, type EngineOptions } from './engine.ts';
export {
  confirmNetwork,
  type NetworkConfig,
  type NetworkFits,
  type NetworkWindow,
  networkWindow,
  walkForwardNetworks,
} from './networkTrials.ts';
export { redrawReport } from './reportDocument.ts';
export { type RetrainRequest, retrain } from './retrain.ts';
export type { GateQuestion, Judge } from './storedRun.ts';
export { type TrainedArtifact, type TrainRequest, trainNetwork } from './trainNetwork.ts';
export { confirmTrees, walkForwardTrees } from './treesTrial.ts';
export type { Confirmation, TrialFits, TrialRun } from './trialRun.ts';
export {
  confirmationSamples,
  openTrialMarket,
  type TrialBars,
  type TrialMarket,
  type WindowSamples,
  windowSamples,
} from './trialSamples.ts';
