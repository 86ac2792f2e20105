// Datasets: rows of features with labels, intervals and lineage; windows for sequence models.
export { buildDataset, type DatasetRequest } from './buildDataset.ts';
export { datasetDigest, type RowLineage, rowLineage } from './lineage.ts';
export { rowsBetween } from './rowsBetween.ts';
export { createSequenceView, gatherWindow, type SequenceView } from './sequenceView.ts';
export type { Dataset, LabelSpec } from './types.ts';
