// Studies: ask, tell and optimise over a storage, with Optuna's semantics.

export { bestTrial, paretoFront } from './best.ts';
export { constraintsOf, isFeasible } from './constraints.ts';
export {
  categoricalDistribution,
  contains,
  floatDistribution,
  intDistribution,
  isSingle,
  type RangeOptions,
  sameDistribution,
  toExternal,
  toInternal,
} from './distribution.ts';
export { type Objective, type OptimizeOptions, optimize } from './optimize.ts';
export type { Outcome } from './outcome.ts';
export type {
  AttributeKind,
  Lease,
  Lineage,
  LineageStudy,
  Provenance,
  Storage,
  StoredStudy,
  TrialChanges,
  TrialClaim,
  TrialDraft,
  TrialEnd,
} from './storage.ts';
export {
  createStudy,
  type EnqueueOptions,
  isClaimEnded,
  loadStudy,
  type NewStudyOptions,
  type Study,
  type StudyOptions,
} from './study.ts';
export type { Trial } from './trial.ts';
export { isFinished } from './trialCache.ts';
export type {
  CategoricalDistribution,
  Direction,
  Distribution,
  FloatDistribution,
  FrozenTrial,
  IntDistribution,
  Json,
  ParamValue,
  PruneDecision,
  Pruner,
  Sampler,
  StudySnapshot,
  TrialParam,
  TrialState,
} from './types.ts';
export { unstarted } from './unstarted.ts';
export { readVector, vectorReport, vectorReportsOf } from './vectorReports.ts';
