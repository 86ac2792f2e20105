// TSMixer: training with early stopping and a teacher, predicting, checkpoints.
export { readCheckpoint, type TsmixerCheckpoint, writeCheckpoint } from './checkpoint.ts';
export { type EngineDevice, engineId, type TsmixerEngine } from './engine.ts';
export { type AvailableEngine, availableEngine, findEngine } from './findEngine.ts';
export { fitTsmixer } from './fit.ts';
export { initialWeights } from './initialWeights.ts';
export { nativeEngine } from './nativeEngine.ts';
export {
  type TsmixerParams,
  type TsmixerParamsInput,
  tsmixerParamsSchema,
  tsmixerTraining,
} from './params.ts';
export { type PredictOptions, predictTsmixer } from './predict.ts';
export { tfjsEngine } from './tfjsEngine.ts';
export type {
  CheckpointPlace,
  SequenceSamples,
  TsmixerEpoch,
  TsmixerFit,
  TsmixerMember,
  TsmixerRequest,
  TsmixerTraining,
} from './types.ts';
