// How much of a result is luck. Every result is a record in its wire form (snake_case) that carries the
// version of its method, so that reports and verdicts can store it as it is.
export {
  type BacktestOverfitting,
  probabilityOfBacktestOverfitting,
} from './backtestOverfitting.ts';
export {
  type DeflatedSharpe,
  deflatedSharpe,
  expectedMaxNormal,
  type TrialSpread,
  trialSpread,
} from './deflatedSharpe.ts';
export { type EffectiveTrials, effectiveTrials } from './effectiveTrials.ts';
export {
  type MinTrackRecordLength,
  minTrackRecordLength,
  minTrackRecordLength2025,
} from './minTrackRecordLength.ts';
export { normalCdf, normalQuantile } from './normal.ts';
export {
  type ProbabilisticSharpe,
  probabilisticSharpe,
  probabilisticSharpe2025,
} from './probabilisticSharpe.ts';
export { type SharpeMoments, sharpeMoments } from './sharpeMoments.ts';
export { type BootstrapInterval, stationaryBootstrap } from './stationaryBootstrap.ts';
