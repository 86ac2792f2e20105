// Running a search: trials in worker processes, journal, cancellation.

export type { Evaluate, TrialOrder, TrialOutcome } from './types.ts';
