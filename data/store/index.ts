export { type Database, type DatabaseOptions, openDatabase, type Queryable } from './database.ts';
export { type DatasetRow, listDatasets, recordDataset } from './datasets.ts';
export { findModel, latestModel, type ModelRow, recordModel } from './models.ts';
export { countOosTouches, type OosTouch, recordOosTouch } from './oosTouches.ts';
export { findPrediction, type PredictionRow, recordPredictions } from './predictions.ts';
export { type RetrainRows, recordRetrain } from './retrain.ts';
export { finishedRuns, type RunFilter, type RunTally, recordRuns, tallyRuns } from './runs.ts';
export {
  countSearchTrials,
  type GateCandidate,
  gateCandidates,
  recordGateCandidate,
  recordSearchTrials,
} from './searches.ts';
export { openServer } from './server.ts';
export { findVerdict, latestVerdicts, saveVerdict, type VerdictRow } from './verdicts.ts';
