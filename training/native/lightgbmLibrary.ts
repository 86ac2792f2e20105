// LightGBM's C API (include/LightGBM/c_api.h, 4.x).
// Trap: LightGBM keeps its last error, log level, log receiver and thread count per thread, so a booster
// lives on the thread that opened the library; work in the background is a worker thread, not an async call.

import { existsSync, readFileSync } from 'node:fs';
import { projectPath, readJson, SluiceError } from '../../core/index.ts';
import { type LibraryHandle, openLibrary } from './foreignCalls.ts';

/** Numbers in memory: a typed array of this thread, or the address of one that another thread keeps alive. */
export type Memory = Float32Array | bigint;

/** A row-major [rows*columns] float32 matrix; NaN = missing. */
export interface FloatMatrix {
  readonly values: Memory;
  readonly rows: number;
  readonly columns: number;
}

/** A LightGBM object of the thread that made it; freed by its `free` call and by nothing else. */
export type DatasetHandle = bigint & { readonly __handle: 'dataset' };
/** A LightGBM model of the thread that made it, freed like a {@link DatasetHandle}. */
export type BoosterHandle = bigint & { readonly __handle: 'booster' };

/** LightGBM's C API with every return code checked. All calls block; all throw SluiceError `native_failed`. */
export interface LightgbmLibrary {
  readonly path: string;
  /** Bins a matrix; with `reference`, into the bins of that dataset. The matrix is not kept. */
  createDataset(
    matrix: FloatMatrix,
    parameters: string,
    reference: DatasetHandle | null,
  ): DatasetHandle;
  /** Sets one float32 per row. */
  setRowField(
    dataset: DatasetHandle,
    field: 'label' | 'weight',
    values: Memory,
    rows: number,
  ): void;
  freeDataset(dataset: DatasetHandle): void;
  createBooster(dataset: DatasetHandle, parameters: string): BoosterHandle;
  loadBooster(text: string): BoosterHandle;
  freeBooster(booster: BoosterHandle): void;
  addValidation(booster: BoosterHandle, dataset: DatasetHandle): void;
  /** Trains one more iteration; true if no tree could be split any more. */
  updateOneIteration(booster: BoosterHandle): boolean;
  iterations(booster: BoosterHandle): number;
  /** The booster's present outputs [rows] for its training data (0) or its validation data (1); probabilities for `binary`. */
  innerPredictions(booster: BoosterHandle, data: 0 | 1, rows: number): Float64Array;
  setLeafValue(booster: BoosterHandle, tree: number, leaf: number, value: number): void;
  /** The first `iterations` iterations as LightGBM's text model. */
  modelText(booster: BoosterHandle, iterations: number): string;
  modelJson(booster: BoosterHandle): string;
  featureCount(booster: BoosterHandle): number;
  /** Raw scores [rows], or contributions [rows*(columns+1)] whose last column is the expected score. */
  predict(booster: BoosterHandle, matrix: FloatMatrix, kind: 'raw' | 'contributions'): Float64Array;
  /** [columns] total gain of, or number of, the splits on a feature. */
  importance(booster: BoosterHandle, kind: 'gain' | 'split', columns: number): Float64Array;
}

const fileNames = { cpu: 'lib_lightgbm.so', cuda: 'lib_lightgbm_cuda.so' } as const;

/** Where the library of a device is built, by `make native` or, for cuda, by `make native-cuda`. */
export const builtLightgbmPath = (device: keyof typeof fileNames = 'cpu'): string =>
  projectPath('build', 'native', fileNames[device]);

/** What a thread does with the library: trains with several cores, or opens models and predicts with one. */
export type LightgbmMode = 'training' | 'predicting';

/**
 * Loads LightGBM's shared library, any 4.x.
 * @param path of the library; default: the one that `make native` builds
 * @throws SluiceError `tool_missing`
 */
export function findLightgbm(
  path: string = builtLightgbmPath(),
  mode: LightgbmMode = 'predicting',
): LightgbmLibrary {
  if (!existsSync(path)) {
    throw new SluiceError(
      'tool_missing',
      path.endsWith(fileNames.cuda)
        ? `LightGBM's library for GPUs is not at ${path}: run \`make native-cuda\` where nvcc is installed, or set gbdt.device to cpu.`
        : `LightGBM's library is not at ${path}: run \`make native\`, or name another lib_lightgbm of version 4.`,
      { path },
    );
  }
  try {
    const api = bind(path, mode);
    silence(api);
    return wrap(path, api);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError(
      'tool_missing',
      `${path} is not a LightGBM 4 library that this machine can load: ${(error as Error).message}`,
      { path },
      error,
    );
  }
}

/** What `doctor` tells of the library. */
export interface LightgbmInfo {
  readonly path: string;
  /** Release, known for the library that `make native` built; the C API does not tell it of another. */
  readonly version: string | null;
  readonly openmp: boolean;
  readonly cuda: boolean;
  /** False before release 4.2, which aborts the process in quantized training (LightGBM issues 5982 and 5994). */
  readonly quantized: boolean;
}

/** Tells what a library was built with, from the names that its file holds and the stamp beside it. */
export function lightgbmInfo(library: LightgbmLibrary): LightgbmInfo {
  const bytes = readFileSync(library.path);
  return {
    path: library.path,
    version: stampedVersion(library.path),
    openmp: /lib(g|i)?omp\d*[.-]/.test(bytes.toString('latin1')),
    cuda: !bytes.includes('CUDA Tree Learner was not enabled in this build'),
    quantized: bytes.includes('LGBM_SetMaxThreads'), // came with 4.2
  };
}

function stampedVersion(path: string): string | null {
  const stamp = path.replace(/\.so$/, '.json');
  if (stamp === path || !existsSync(stamp)) return null;
  const { lightgbm_version: version } = readJson(stamp) as { lightgbm_version?: string | null };
  return version ?? null;
}

const float32Type = 0;
const rowMajor = 1;
const predictKinds = { raw: 1, contributions: 3 } as const;
const importanceKinds = { split: 0, gain: 1 } as const;
const fromFirst = 0;
const allIterations = -1;

/** Prototypes as in c_api.h; every pointer is `void *`, so that an address serves as well as a typed array. */
const prototypes = {
  registerLogCallback: 'LGBM_RegisterLogCallback(void *callback)',
  datasetCreateFromMat:
    'LGBM_DatasetCreateFromMat(void *data, int type, int32_t nrow, int32_t ncol, int row_major, const char *parameters, void *reference, void *out)',
  datasetSetField:
    'LGBM_DatasetSetField(void *handle, const char *name, void *data, int n, int type)',
  datasetFree: 'LGBM_DatasetFree(void *handle)',
  boosterCreate: 'LGBM_BoosterCreate(void *data, const char *parameters, void *out)',
  boosterLoadModelFromString:
    'LGBM_BoosterLoadModelFromString(const char *text, void *iterations, void *out)',
  boosterFree: 'LGBM_BoosterFree(void *handle)',
  boosterAddValidData: 'LGBM_BoosterAddValidData(void *handle, void *data)',
  boosterUpdateOneIter: 'LGBM_BoosterUpdateOneIter(void *handle, void *finished)',
  boosterGetCurrentIteration: 'LGBM_BoosterGetCurrentIteration(void *handle, void *out)',
  boosterGetPredict: 'LGBM_BoosterGetPredict(void *handle, int data, void *out_len, void *out)',
  boosterSetLeafValue: 'LGBM_BoosterSetLeafValue(void *handle, int tree, int leaf, double value)',
  boosterSaveModelToString:
    'LGBM_BoosterSaveModelToString(void *handle, int start, int n, int importance, int64_t size, void *out_len, void *out)',
  boosterDumpModel:
    'LGBM_BoosterDumpModel(void *handle, int start, int n, int importance, int64_t size, void *out_len, void *out)',
  boosterGetNumFeature: 'LGBM_BoosterGetNumFeature(void *handle, void *out)',
  boosterPredictForMat:
    'LGBM_BoosterPredictForMat(void *handle, void *data, int type, int32_t nrow, int32_t ncol, int row_major, int kind, int start, int n, const char *parameters, void *out_len, void *out)',
  boosterFeatureImportance:
    'LGBM_BoosterFeatureImportance(void *handle, int n, int kind, void *out)',
} as const;

type CApi = Readonly<Record<keyof typeof prototypes, (...values: unknown[]) => void>>;

/** Binds the functions; each throws what LGBM_GetLastError says unless it returns 0. */
function bind(path: string, mode: LightgbmMode): CApi {
  const library = openLibrary(path);
  library.symbol('LGBM_DatasetSerializeReferenceToBinary'); // came with 4.0: an older library throws here
  allowTeams(library, mode === 'training');
  const lastError = library.func('const char *LGBM_GetLastError()');
  const entries = Object.entries(prototypes).map(([name, prototype]) => {
    const native = library.func(`int ${prototype}`);
    const call = (...values: unknown[]) => {
      if (native(...values) !== 0) throw refused(prototype, lastError() as string);
    };
    return [name, call];
  });
  return Object.fromEntries(entries) as CApi;
}

/** What LightGBM's CUDA code throws: the runtime's words, then a source file and a line. */
const cudaFailure = /^\[CUDA\] (.+) \S+ \d+\s*$/;
/** The runtime's words where there is nothing to train on. */
const noDevice = /driver|no CUDA-capable device|no kernel image/;

/** The error of a call that did not return 0. */
export function refused(prototype: string, reason: string): SluiceError {
  const call = prototype.slice(0, prototype.indexOf('('));
  const onGpu = cudaFailure.exec(reason)?.[1];
  if (onGpu !== undefined) {
    const [code, guess] = noDevice.test(onGpu)
      ? (['tool_missing', ' (no GPU, no driver, or one that is too old)'] as const)
      : (['native_failed', ''] as const);
    return new SluiceError(
      code,
      `LightGBM could not train on the GPU: ${onGpu}${guess}. \`sluice doctor\` tells what this machine has; gbdt.device cpu needs no GPU.`,
      { call, reason },
    );
  }
  return new SluiceError('native_failed', `LightGBM refused ${call}: ${reason}`, { call, reason });
}

/**
 * Lets this thread's calls use a team of OpenMP threads, or not. A team that loads a model or predicts would stay, and
 * GNU's runtime, with more threads than cores, stops spinning: the next training would run 20 % slower.
 * The symbol is that of the runtime that LightGBM is linked with; a library without OpenMP has none.
 */
function allowTeams(library: LibraryHandle, allowed: boolean): void {
  try {
    library.func('void omp_set_max_active_levels(int n)')(allowed ? 1 : 0);
  } catch {
    // no OpenMP, no teams
  }
}

/**
 * Gives LightGBM a log receiver that swallows: libc's `strlen`, which reads a line and does nothing. A receiver
 * in JavaScript would have to run on this thread while another one waits for it.
 */
function silence(api: CApi): void {
  api.registerLogCallback(openLibrary(null).symbol('strlen'));
}

function wrap(path: string, api: CApi): LightgbmLibrary {
  return {
    path,
    createDataset: ({ values, rows, columns }, parameters, reference) =>
      handleFrom<DatasetHandle>((out) =>
        api.datasetCreateFromMat(
          values,
          float32Type,
          rows,
          columns,
          rowMajor,
          parameters,
          reference,
          out,
        ),
      ),
    setRowField: (dataset, field, values, rows) =>
      api.datasetSetField(dataset, field, values, rows, float32Type),
    freeDataset: (dataset) => api.datasetFree(dataset),
    createBooster: (dataset, parameters) =>
      handleFrom<BoosterHandle>((out) => api.boosterCreate(dataset, parameters, out)),
    loadBooster: (text) =>
      handleFrom<BoosterHandle>((out) =>
        api.boosterLoadModelFromString(text, new Int32Array(1), out),
      ),
    freeBooster: (booster) => api.boosterFree(booster),
    addValidation: (booster, dataset) => api.boosterAddValidData(booster, dataset),
    updateOneIteration: (booster) =>
      integerFrom((out) => api.boosterUpdateOneIter(booster, out)) === 1,
    iterations: (booster) => integerFrom((out) => api.boosterGetCurrentIteration(booster, out)),
    innerPredictions(booster, data, rows) {
      const out = new Float64Array(rows);
      api.boosterGetPredict(booster, data, new BigInt64Array(1), out);
      return out;
    },
    setLeafValue: (booster, tree, leaf, value) =>
      api.boosterSetLeafValue(booster, tree, leaf, value),
    modelText: (booster, iterations) =>
      stringFrom((size, length, out) =>
        api.boosterSaveModelToString(
          booster,
          fromFirst,
          iterations,
          importanceKinds.split,
          size,
          length,
          out,
        ),
      ),
    modelJson: (booster) =>
      stringFrom((size, length, out) =>
        api.boosterDumpModel(
          booster,
          fromFirst,
          allIterations,
          importanceKinds.split,
          size,
          length,
          out,
        ),
      ),
    featureCount: (booster) => integerFrom((out) => api.boosterGetNumFeature(booster, out)),
    predict: (booster, matrix, kind) => predict(api, booster, matrix, kind),
    importance(booster, kind, columns) {
      const out = new Float64Array(columns);
      api.boosterFeatureImportance(booster, allIterations, importanceKinds[kind], out);
      return out;
    },
  };
}

function handleFrom<H extends bigint>(call: (out: BigUint64Array) => void): H {
  const out = new BigUint64Array(1);
  call(out);
  return out[0]! as H;
}

function integerFrom(call: (out: Int32Array) => void): number {
  const out = new Int32Array(1);
  call(out);
  return out[0]!;
}

/** Asks for the length first; LightGBM counts the terminating zero. */
function stringFrom(call: (size: number, length: BigInt64Array, out: Buffer) => void): string {
  const length = new BigInt64Array(1);
  call(0, length, Buffer.alloc(1));
  const bytes = Buffer.alloc(Number(length[0]));
  call(bytes.length, length, bytes);
  return bytes.toString('utf8', 0, bytes.length - 1);
}

function predict(
  api: CApi,
  booster: BoosterHandle,
  { values, rows, columns }: FloatMatrix,
  kind: keyof typeof predictKinds,
): Float64Array {
  const out = new Float64Array(rows * (kind === 'raw' ? 1 : columns + 1));
  if (rows === 0) return out;
  api.boosterPredictForMat(
    booster,
    values,
    float32Type,
    rows,
    columns,
    rowMajor,
    predictKinds[kind],
    fromFirst,
    allIterations,
    'num_threads=1 verbosity=-1',
    new BigInt64Array(1),
    out,
  );
  return out;
}
