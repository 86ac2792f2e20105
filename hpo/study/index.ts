// Studies: ask, tell and optimise over a storage, with Optuna's semantics.

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
