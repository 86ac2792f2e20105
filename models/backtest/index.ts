export { runBacktest } from './engine.ts';
export { type DailyReturns, dailyReturns, wholeDays } from './metrics/dailyReturns.ts';
export { maxDrawdown } from './metrics/maxDrawdown.ts';
export {
  gateSharpe,
  type SharpeDaily,
  sharpeDaily,
  sharpeOfDays,
} from './metrics/sharpeDaily.ts';
export { type SharpeStepRaw, sharpeStepRaw } from './metrics/sharpeStepRaw.ts';
export type { StepSeries } from './metrics/steps.ts';
export { summariseRun } from './metrics/summary.ts';
export { ownScores, policyScores } from './policyScores.ts';
export {
  checkRunSource,
  dataRegime,
  type RunFacts,
  type RunSourceVerdict,
  scoreSource,
  sourcesOf,
  type TimeSpan,
} from './provenance.ts';
export { countDecisions, scorePanel } from './scorePanel.ts';
export { scoreSequences } from './scoreSequences.ts';
export type { BacktestInput, BacktestResult, RejectReason } from './types.ts';
