// Running a search: trials in worker processes, journal, cancellation.

export type { RunOptions, RunProgress, RunResult, StopSignals } from './options.ts';
export type { Evaluate, EvaluateBatch, TrialOrder, TrialOutcome, Watch } from './types.ts';
