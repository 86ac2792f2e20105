// The HTML, JSON and terminal report of a retrain.
export { renderReport } from './html.ts';
export { bpsInterval, engineName, renderText } from './text.ts';
export type {
  AlphaCandidate,
  ArmReport,
  ArmStatistics,
  ArmWindow,
  CalibrationBin,
  DistillationReport,
  EngineReport,
  EnsembleReport,
  FoldReport,
  GateReport,
  LambdaCandidate,
  NeuralReport,
  PairedDifference,
  RetrainReport,
  RuleCheck,
  WindowReport,
} from './types.ts';
