// One training from bins to text, on the thread that runs it. What crosses between threads is here too.

import { parseLightgbmText } from '../../models/score/index.ts';
import type { BoosterHandle, DatasetHandle, LightgbmLibrary } from '../native/index.ts';
import { leafGrid, snapToGrid } from './exactSum.ts';
import { type Loss, meanLoss } from './metrics.ts';
import type { GbdtRound } from './model.ts';

/** Rows; `features` is the address of an array that the asking thread keeps alive until it has an answer. */
export interface JobRows {
  readonly features: bigint;
  readonly rows: number;
  readonly labels: Float32Array;
  readonly weights: Float32Array | null;
}

/** All that a training needs; plain values, so that it can be posted to another thread. */
export interface TrainingJob {
  readonly libraryPath: string;
  readonly parameters: string;
  readonly featureCount: number;
  readonly training: JobRows;
  readonly validation: JobRows | null;
  readonly loss: Loss;
  readonly rounds: number;
  readonly earlyStoppingRounds: number;
  readonly trackTraining: boolean;
  /** [1] set to 1 by the asking thread to stop before the next round */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/**
 * Trains, keeps the rounds up to the best one, and puts their leaves on the grid.
 * @returns the text of the model, or null if it was stopped
 */
export function runTraining(
  library: LightgbmLibrary,
  job: TrainingJob,
  onRound: (round: GbdtRound) => void,
): string | null {
  return withBooster(library, job, (booster) => {
    const kept = trainRounds(library, booster, job, onRound);
    return kept === null ? null : exactText(library, booster, kept);
  });
}

/** @returns number of rounds to keep, or null if it was stopped */
function trainRounds(
  library: LightgbmLibrary,
  booster: BoosterHandle,
  job: TrainingJob,
  onRound: (round: GbdtRound) => void,
): number | null {
  const patience = job.validation === null ? 0 : job.earlyStoppingRounds;
  let best = { round: 1, loss: Number.POSITIVE_INFINITY };
  for (let round = 1; round <= job.rounds; round += 1) {
    if (Atomics.load(job.stop, 0) === 1) return null;
    if (library.updateOneIteration(booster)) break;
    const metrics = roundMetrics(library, booster, job);
    onRound(metrics);
    const loss = metrics.validation ?? Number.POSITIVE_INFINITY;
    if (loss < best.loss) best = { round, loss };
    if (patience > 0 && round - best.round >= patience) break;
  }
  return patience > 0 ? best.round : library.iterations(booster);
}

function roundMetrics(
  library: LightgbmLibrary,
  booster: BoosterHandle,
  { loss, training, validation, trackTraining }: TrainingJob,
): GbdtRound {
  const lossOn = (data: 0 | 1, { rows, labels, weights }: JobRows) =>
    meanLoss(loss, library.innerPredictions(booster, data, rows), labels, weights);
  return {
    ...(trackTraining && { train: lossOn(0, training) }),
    ...(validation !== null && { validation: lossOn(1, validation) }),
  };
}

function exactText(library: LightgbmLibrary, booster: BoosterHandle, iterations: number): string {
  const ensemble = parseLightgbmText(library.modelText(booster, iterations));
  const grid = leafGrid(ensemble);
  ensemble.trees.forEach(({ leafValue }, tree) => {
    leafValue.forEach((value, leaf) => {
      library.setLeafValue(booster, tree, leaf, snapToGrid(value, grid));
    });
  });
  return withoutThreadCount(library.modelText(booster, iterations));
}

/** The text ends with the parameters; the thread count is the only one that must not tell two models apart. */
const withoutThreadCount = (text: string): string =>
  text.replace(/^\[num_threads: \d+\]$/m, '[num_threads: 0]');

function withBooster<T>(
  library: LightgbmLibrary,
  job: TrainingJob,
  use: (booster: BoosterHandle) => T,
): T {
  return withDataset(library, job, job.training, null, (training) => {
    const booster = library.createBooster(training, job.parameters);
    try {
      if (job.validation === null) return use(booster);
      return withDataset(library, job, job.validation, training, (validation) => {
        library.addValidation(booster, validation);
        return use(booster);
      });
    } finally {
      library.freeBooster(booster);
    }
  });
}

function withDataset<T>(
  library: LightgbmLibrary,
  job: TrainingJob,
  { features, rows, labels, weights }: JobRows,
  reference: DatasetHandle | null,
  use: (dataset: DatasetHandle) => T,
): T {
  const matrix = { values: features, rows, columns: job.featureCount };
  const dataset = library.createDataset(matrix, job.parameters, reference);
  try {
    library.setRowField(dataset, 'label', labels, rows);
    if (weights !== null) library.setRowField(dataset, 'weight', weights, rows);
    return use(dataset);
  } finally {
    library.freeDataset(dataset);
  }
}
