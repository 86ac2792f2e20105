export { type Evidence, selectEvidence, type UnreadRuns } from './evidence.ts';
export { type FilterChoice, type GateFilters, gateFilters } from './filters.ts';
export {
  type GateOptions,
  type GateQuestion,
  type GateStore,
  gate,
  gateExit,
  judgeRuns,
  renderVerdict,
} from './gateCommand.ts';
export { type GateStatus, judge, type Need, type Verdict } from './judge.ts';
export { type Recomputed, recomputeVerdict } from './recompute.ts';
export { type GateRequirements, gateRequirementsSchema } from './requirements.ts';
