// Fits LightGBM: checked input, training in the background, progress, cancel, the best iteration kept.

import { availableParallelism } from 'node:os';
import { type Progress, parseStrict, SluiceError, silent } from '../../core/index.ts';
import { addressOf, type LightgbmLibrary, lightgbmInfo } from '../native/index.ts';
import { type GbdtModel, type GbdtRound, loadGbdt } from './model.ts';
import {
  type GbdtParams,
  type GbdtParamsInput,
  gbdtParamsSchema,
  lightgbmParameters,
} from './params.ts';
import { trainInBackground } from './trainer.ts';
import { checkTrainingData, type GbdtData, type GbdtRows } from './trainingData.ts';
import type { JobRows, TrainingJob } from './trainingJob.ts';

/** A fit: data, parameters, and who is told of it. */
export interface GbdtFit extends GbdtData {
  readonly params: GbdtParamsInput;
  /** Also measure the metric on the training rows after every round; costs a pass over them. */
  readonly trackTraining?: boolean;
  readonly progress?: Progress;
  /** Stops between two rounds. */
  readonly signal?: AbortSignal;
  /** Told of each round in order, counted from 1, some milliseconds late. What it throws ends the fit. */
  readonly onIteration?: (iteration: number, round: GbdtRound) => void;
}

/**
 * Trains a model; the same data, parameters and library give the same text for any number of threads, but not on device
 * cuda. The caller must not change the arrays until the promise settles: LightGBM reads them where they are.
 * @throws SluiceError `config_invalid` | `length_mismatch` | `non_finite` | `out_of_range` | `cancelled` | `native_failed`
 */
export async function fitGbdt(library: LightgbmLibrary, fit: GbdtFit): Promise<GbdtModel> {
  const params = parseStrict(gbdtParamsSchema, fit.params, 'gbdt parameters');
  checkColumns(fit, params);
  checkLibrary(library, params);
  checkTrainingData(fit, params.objective);
  const job = jobOf(library, fit, params);
  const history: GbdtRound[] = [];
  const stop = () => Atomics.store(job.stop, 0, 1);
  if (fit.signal?.aborted) stop();
  fit.signal?.addEventListener('abort', stop);
  try {
    const text = await trainInBackground(job, (round) => {
      history.push(round);
      tell(fit, params, history.length, round);
    });
    if (text === null)
      throw new SluiceError(
        'cancelled',
        `Training stopped after ${history.length} rounds, on request.`,
      );
    return loadGbdt(library, text, history);
  } finally {
    fit.signal?.removeEventListener('abort', stop);
  }
}

function tell(fit: GbdtFit, params: GbdtParams, iteration: number, round: GbdtRound): void {
  const loss = round.validation ?? round.train;
  (fit.progress ?? silent).update('lightgbm', iteration / params.rounds, loss?.toPrecision(5));
  fit.onIteration?.(iteration, round);
}

/** Refuses what the library at hand cannot do. */
function checkLibrary(library: LightgbmLibrary, params: GbdtParams): void {
  if (params.device === 'cuda') checkCuda(library);
  if (params.use_quantized_grad && !lightgbmInfo(library).quantized)
    throw new SluiceError(
      'tool_missing',
      `use_quantized_grad needs LightGBM 4.2 or later, which ${library.path} is not: older ones abort. Set it to false or name such a library.`,
      { path: library.path },
    );
}

function checkCuda(library: LightgbmLibrary): void {
  const { cuda, path } = lightgbmInfo(library);
  if (!cuda)
    throw new SluiceError(
      'tool_missing',
      `device cuda needs a LightGBM built with CUDA, as \`make native-cuda\` builds it; ${path} is not. Use device cpu or name such a library.`,
      { path },
    );
}

/**
 * Tries the device of these parameters with two rows, so that work of hours does not lead to a GPU that is not there.
 * @throws SluiceError `tool_missing` | `native_failed`
 */
export function requireDevice(
  library: LightgbmLibrary,
  { device }: Pick<GbdtParams, 'device'>,
): void {
  if (device === 'cpu') return;
  checkCuda(library);
  const rows = { values: Float32Array.of(0, 1), rows: 2, columns: 1 };
  library.freeDataset(library.createDataset(rows, 'device_type=cuda verbosity=-1', null));
}

/** Most columns that fit a thread block of LightGBM's CUDA learner in any case. */
const mostOnCuda = 504;

/** Refuses columns on which LightGBM's CUDA learner crashes or ends the process, depending on how many values they have. */
function checkColumns({ categorical = [], featureCount }: GbdtFit, { device }: GbdtParams): void {
  if (device === 'cpu') return;
  if (categorical.length > 0)
    throw new SluiceError(
      'config_invalid',
      `device cuda takes no categorical columns, found ${categorical.length}: LightGBM fails there with 32k+1 values or more than 256 (its issues 6784 and 7417). Encode them as numbers or use device cpu.`,
      { categorical },
    );
  if (featureCount > mostOnCuda)
    throw new SluiceError(
      'config_invalid',
      `device cuda takes at most ${mostOnCuda} features, found ${featureCount}: with more of few values each, LightGBM divides by zero there (its issue 7122). Use device cpu.`,
      { featureCount },
    );
}

function jobOf(library: LightgbmLibrary, fit: GbdtFit, params: GbdtParams): TrainingJob {
  return {
    libraryPath: library.path,
    parameters: lightgbmParameters(
      params,
      params.threads || availableParallelism(),
      fit.categorical ?? [],
    ),
    featureCount: fit.featureCount,
    training: jobRows(fit),
    validation: fit.validation === undefined ? null : jobRows(fit.validation),
    loss: { objective: params.objective, huber_delta: params.huber_delta },
    rounds: params.rounds,
    earlyStoppingRounds: params.early_stopping_rounds,
    trackTraining: fit.trackTraining ?? false,
    stop: new Int32Array(new SharedArrayBuffer(4)),
  };
}

const jobRows = ({ features, rows, labels, weights }: GbdtRows): JobRows => ({
  features: addressOf(features),
  rows,
  labels,
  weights: weights ?? null,
});
