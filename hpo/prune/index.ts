// Pruners: which trials end early, by Optuna's rules.

export { type HyperbandOptions, hyperbandPruner } from './hyperband.ts';
export { multiObjectivePruner } from './multiObjective.ts';
export { medianPruner, type PercentileOptions, percentilePruner } from './percentile.ts';
export { type SuccessiveHalvingOptions, successiveHalvingPruner } from './successiveHalving.ts';
