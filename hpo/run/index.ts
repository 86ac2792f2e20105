// Running a search: trials in worker processes, journal, cancellation.

export type { RunOptions, RunProgress, RunResult, StopSignals } from './options.ts';
export { runStudy } from './runStudy.ts';
export { createStopSwitch, type StopSwitch } from './stopSwitch.ts';
export type { Evaluate, EvaluateBatch, TrialOrder, TrialOutcome, Watch } from './types.ts';
