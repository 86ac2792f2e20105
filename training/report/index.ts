// The HTML and JSON report of a retrain.
export { renderReport } from './html.ts';
export type {
  ArmReport,
  ArmStatistics,
  ArmWindow,
  CalibrationBin,
  FoldReport,
  GateReport,
  RetrainReport,
  RuleCheck,
  WindowReport,
} from './types.ts';
