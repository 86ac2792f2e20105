// The three stages of a search: coarse, refine, forward confirmation; and the registry's door behind them.

export { type CandidateRequest, deflatedSharpeOf, registerCandidate } from './candidate.ts';
export { readSearchConfig, type SearchConfig, withTrials } from './config.ts';
export {
  findPlan,
  type Plan,
  planSearch,
  readPlans,
  type StageName,
  stageNames,
  studyName,
  taskOf,
} from './plan.ts';
export { searchProgress } from './progress.ts';
export { runSearch, type SearchRequest, type SearchResult } from './search.ts';
export {
  exportCsv,
  readTrialRows,
  type TrialRow,
  topText,
  topTrials,
  trialJson,
} from './trialRows.ts';
