// LightGBM: fitting, loading, predicting.
export {
  type GbdtDevice,
  type GbdtEngine,
  gbdtEngine,
  gbdtWarnings,
  requireReproducible,
} from './engine.ts';
export { fitGbdt, type GbdtFit, requireDevice } from './fit.ts';
export { type GbdtModel, type GbdtRound, loadGbdt } from './model.ts';
export { type GbdtParams, type GbdtParamsInput, gbdtParamsSchema } from './params.ts';
export type { GbdtData, GbdtRows } from './trainingData.ts';
