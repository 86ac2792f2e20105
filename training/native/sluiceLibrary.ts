// libsluice, our own engine for TSMixer, as sluice.h declares it: one library for the CPU, one for GPUs. Long calls run in
// a thread of libuv's pool: this thread stays free, reads their progress and stops them.

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { projectPath, SluiceError } from '../../core/index.ts';
import {
  addressOf,
  callInBackground,
  type ForeignFunction,
  type LibraryHandle,
  openLibrary,
} from './foreignCalls.ts';

/** `slu_tsmixer_config`: what the members of a training share. */
export interface NativeTsmixerConfig {
  readonly tokens: number;
  readonly channels: number;
  readonly hidden: number;
  readonly blocks: number;
  readonly horizon: number;
  readonly head: 'flat' | 'temporal';
  readonly keptChannels: number;
  readonly activation: 'relu' | 'gelu';
  readonly revin: boolean;
  readonly batch: number;
  readonly loss: 'mse' | 'huber';
  /** of the CPU, 0 = one per core */
  readonly threads: number;
  readonly huberDelta: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** which GPU, from 0; 0 for a CPU */
  readonly device: number;
  /** of the matrix products; a CPU has fp32 alone */
  readonly precision: Precision;
}

/** `slu_precision`: what matrix products round their operands to; they are summed in float32. */
export type Precision = 'fp32' | 'tf32';

/** `slu_tsmixer_member`: what each member has of its own. */
export interface NativeTsmixerMember {
  readonly seed: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly dropout: number;
  readonly teacher: number;
  readonly clip: number;
}

/** `slu_tsmixer_data`: lent until the handle is freed; see sluice.h for shapes. */
export interface NativeTsmixerData {
  readonly series: Float32Array;
  readonly rows: number;
  readonly ends: Int32Array;
  readonly targets: Float32Array | null;
  readonly teacher: Float32Array | null;
  readonly weights: Float32Array | null;
}

/** `slu_tsmixer_stats`: where a member stands and what its last call saw. */
export interface NativeTsmixerStats {
  readonly step: number;
  readonly samples: number;
  readonly loss: number;
}

/** How a long call is watched. */
export interface NativeWatch {
  readonly signal: AbortSignal;
  /** told a few times a second how many steps the call has finished, over all members */
  readonly onProgress: (steps: number) => void;
}

/**
 * One training inside the library. Its calls throw SluiceError `out_of_range` | `non_finite` | `cancelled` |
 * `tool_missing` | `native_failed` with the library's sentence; after `cancelled` each member stands after a whole step.
 * One call at a time; free it after the last one.
 */
export interface NativeTsmixer {
  readonly members: number;
  /** bytes of a member's state: int64 step, then parameters, first and second moments as float32 */
  readonly stateBytes: number;
  lend(data: NativeTsmixerData): void;
  /** @param active [members] 0 = leave alone */
  train(
    order: {
      readonly samples: Int32Array;
      readonly schedule: Float32Array;
      readonly toStep: number;
      readonly active: Uint8Array;
    },
    watch: NativeWatch,
  ): Promise<NativeTsmixerStats[]>;
  evaluate(samples: Int32Array, watch: NativeWatch): Promise<NativeTsmixerStats[]>;
  /** @param out [members*n*O] is filled */
  predict(samples: Int32Array, out: Float32Array, watch: NativeWatch): Promise<void>;
  /** Fills `gradient` [P] with that of one member's loss over these samples, and gives the loss. For tests. */
  gradient(member: number, samples: Int32Array, step: number, gradient: Float32Array): number;
  readState(member: number): Uint8Array;
  writeState(member: number, state: Uint8Array): void;
  free(): void;
}

/** `slu_device`: something that a library computes on. */
export interface NativeDevice {
  readonly name: string;
  /** of a GPU, 90 = sm_90; 0 for a CPU */
  readonly capability: number;
  /** multiprocessors, or cores */
  readonly processors: number;
  /** newest CUDA that the driver runs, 13000 = 13.0; 0 for a CPU */
  readonly driver: number;
  /** CUDA that the library was built with; 0 for a CPU */
  readonly runtime: number;
  /** of a GPU; 0 for a CPU */
  readonly memoryBytes: number;
}

/** The library, bound. */
export interface SluiceLibrary {
  readonly path: string;
  readonly abi: number;
  /** what its matrix kernels are made of in this process: an instruction set, `cuda`, or `emulated` in tests */
  readonly kernels: string;
  /** Tells of a device. @throws SluiceError `tool_missing` with the library's reason if it cannot be used */
  deviceInfo(ordinal: number): NativeDevice;
  createTsmixer(
    config: NativeTsmixerConfig,
    members: readonly NativeTsmixerMember[],
  ): NativeTsmixer;
  /** Philox4x32-10 of counters [n*4] under a key [2]. For tests. */
  philox(counters: Uint32Array, key: Uint32Array): Uint32Array;
}

const fileNames = {
  cpu: 'libsluice.so',
  cuda: 'libsluice_cuda.so',
  /** the GPU's code compiled for the CPU: right and very slow, for tests */
  emulated: 'libsluice_emulated.so',
} as const;

/** Where the library of a device is built; `make native` builds that of the GPU where it finds nvcc. */
export const builtSluicePath = (half: keyof typeof fileNames = 'cpu'): string =>
  projectPath('build', 'native', fileNames[half]);

/** The version of sluice.h that this file was written from. */
const abiVersion = 2;

/**
 * Loads libsluice.
 * @param path of the library; default: the one that `make native` builds
 * @throws SluiceError `tool_missing` if it is not there, cannot be loaded, or is of another version of sluice.h
 */
export function findSluice(path: string = builtSluicePath()): SluiceLibrary {
  if (!existsSync(path)) {
    const found =
      basename(path) === fileNames.cuda
        ? `The TSMixer engine for GPUs is not at ${path}: run \`make native\` where nvcc is installed, or choose the device cpu.`
        : `The TSMixer engine is not at ${path}: run \`make native\`, or choose the engine tfjs.`;
    throw new SluiceError('tool_missing', found, { path });
  }
  try {
    return wrap(path, bind(openLibrary(path)));
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError(
      'tool_missing',
      `${path} is not a libsluice that this machine can load: ${(error as Error).message}`,
      { path },
      error,
    );
  }
}

/** What `doctor` tells of the library. */
export interface SluiceInfo {
  readonly path: string;
  readonly kernels: string;
  readonly abi: number;
}

/** Tells what a loaded library is. */
export const sluiceInfo = ({ path, kernels, abi }: SluiceLibrary): SluiceInfo => ({
  path,
  kernels,
  abi,
});

/** Prototypes as in sluice.h; every pointer is `void *`, so that an address serves as well as a typed array. */
const prototypes = {
  abiVersion: 'int32_t slu_abi_version()',
  kernels: 'const char *slu_path()',
  deviceInfo: 'int slu_device_info(int32_t device, void *out)',
  error: 'const char *slu_error(void *handle)',
  create: 'int slu_tsmixer_create(void *config, void *members, void *out)',
  free: 'void slu_tsmixer_free(void *handle)',
  data: 'int slu_tsmixer_data(void *handle, void *series, int64_t rows, void *ends, int64_t samples, void *targets, void *teacher, void *weights)',
  train:
    'int slu_tsmixer_train(void *handle, void *train, int64_t n, void *schedule, int64_t n_schedule, int64_t to_step, void *active, void *stats)',
  evaluate: 'int slu_tsmixer_evaluate(void *handle, void *samples, int64_t n, void *stats)',
  predict: 'int slu_tsmixer_predict(void *handle, void *samples, int64_t n, void *y)',
  gradient:
    'int slu_tsmixer_gradient(void *handle, int32_t member, void *samples, int64_t n, int64_t step, void *gradient, void *loss)',
  stateBytes: 'int64_t slu_tsmixer_state_bytes(void *handle)',
  state:
    'int slu_tsmixer_state(void *handle, int32_t member, int32_t direction, void *state, int64_t bytes)',
  stop: 'void slu_tsmixer_stop(void *handle)',
  progress: 'int64_t slu_tsmixer_progress(void *handle)',
  philox: 'void slu_philox(void *counters, void *key, int64_t n, void *out)',
} as const;

type CApi = Readonly<Record<keyof typeof prototypes, ForeignFunction>>;

function bind(library: LibraryHandle): CApi {
  const entries = Object.entries(prototypes).map(([name, text]) => [name, library.func(text)]);
  return Object.fromEntries(entries) as CApi;
}

function wrap(path: string, api: CApi): SluiceLibrary {
  const abi = api.abiVersion() as number;
  if (abi !== abiVersion)
    throw new SluiceError(
      'tool_missing',
      `${path} speaks version ${abi} of sluice.h, this Sluice version ${abiVersion}: run \`make native\`.`,
      { path, abi },
    );
  return {
    path,
    abi,
    kernels: api.kernels() as string,
    deviceInfo: (ordinal) => deviceInfo(api, ordinal),
    createTsmixer: (config, members) => createTsmixer(api, config, members),
    philox(counters, key) {
      const out = new Uint32Array(counters.length);
      api.philox(counters, key, counters.length / 4, out);
      return out;
    },
  };
}

const ok = 0;
/** Codes of `slu_code` as those of our errors. */
const errorCodes = {
  [-1]: 'out_of_range',
  [-2]: 'native_failed',
  [-3]: 'non_finite',
  [-4]: 'cancelled',
  [-5]: 'tool_missing',
  [-6]: 'native_failed',
} as const;

/** Throws the library's sentence unless the code is SLU_OK. */
function check(api: CApi, handle: bigint, code: number): void {
  if (code === ok) return;
  const reason = api.error(handle) as string;
  throw new SluiceError(
    errorCodes[code as keyof typeof errorCodes] ?? 'native_failed',
    `The TSMixer engine: ${reason}`,
    { reason, native_code: code },
  );
}

const noHandle = 0n;

function deviceInfo(api: CApi, ordinal: number): NativeDevice {
  const bytes = new Uint8Array(deviceBytes);
  const words = new Int32Array(bytes.buffer, 0, 5);
  words[0] = deviceBytes;
  check(api, noHandle, api.deviceInfo(ordinal, bytes) as number);
  const [, capability, processors, driver, runtime] = words;
  const [memoryBytes] = new BigInt64Array(bytes.buffer, 24, 1);
  const name = Buffer.from(bytes.subarray(32));
  return {
    name: name.toString('utf8', 0, name.indexOf(0)),
    capability: capability!,
    processors: processors!,
    driver: driver!,
    runtime: runtime!,
    memoryBytes: Number(memoryBytes),
  };
}

/** How often a running call is asked for its progress. */
const pollMs = 100;
const readDirection = 0;
const writeDirection = 1;

function createTsmixer(
  api: CApi,
  config: NativeTsmixerConfig,
  members: readonly NativeTsmixerMember[],
): NativeTsmixer {
  const out = new BigUint64Array(1);
  check(
    api,
    noHandle,
    api.create(configStruct(config, members.length), memberStructs(members), out),
  );
  const handle = out[0]!;
  /** what native code was lent: these arrays must outlive its use of them */
  const lent = { always: [] as Lendable[], now: [] as Lendable[] };
  let state: 'idle' | 'busy' | 'freed' = 'idle';
  const needIdle = () => {
    // two calls inside one handle, or one after its end, would crash the process
    if (state !== 'idle')
      throw new SluiceError('internal', `A call met a TSMixer engine that is ${state}.`);
  };
  const call = (native: ForeignFunction, ...values: unknown[]) => {
    needIdle();
    check(api, handle, native(handle, ...values) as number);
  };
  const longCall = async (
    native: ForeignFunction,
    values: readonly Value[],
    watch: NativeWatch,
  ) => {
    needIdle();
    state = 'busy';
    lent.now = values.filter(isLendable);
    try {
      check(api, handle, await watched(api, handle, native, values.map(asArgument), watch));
    } finally {
      state = 'idle';
      lent.now = [];
    }
  };
  return {
    members: members.length,
    get stateBytes() {
      needIdle();
      return Number(api.stateBytes(handle));
    },
    lend({ series, rows, ends, targets, teacher, weights }) {
      const values: Value[] = [series, rows, ends, ends.length, targets, teacher, weights];
      lent.always.push(...values.filter(isLendable));
      call(api.data, ...values.map(asArgument));
    },
    async train({ samples, schedule, toStep, active }, watch) {
      const stats = statStructs(members.length);
      const { length } = samples;
      const values = [samples, length, schedule, schedule.length, toStep, active, stats];
      await longCall(api.train, values, watch);
      return readStats(stats);
    },
    async evaluate(samples, watch) {
      const stats = statStructs(members.length);
      await longCall(api.evaluate, [samples, samples.length, stats], watch);
      return readStats(stats);
    },
    predict: (samples, predictions, watch) =>
      longCall(api.predict, [samples, samples.length, predictions], watch),
    gradient(member, samples, step, gradient) {
      const loss = new Float64Array(1);
      call(api.gradient, member, samples, samples.length, step, gradient, loss);
      return loss[0]!;
    },
    readState(member) {
      const bytes = new Uint8Array(this.stateBytes);
      call(api.state, member, readDirection, bytes, bytes.length);
      return bytes;
    },
    writeState(member, bytes) {
      call(api.state, member, writeDirection, bytes, bytes.length);
    },
    free() {
      if (state === 'freed') return;
      needIdle();
      state = 'freed';
      api.free(handle);
      lent.always = [];
    },
  };
}

type Lendable = Float32Array | Int32Array | Uint8Array;
type Value = Lendable | number | null;

const isLendable = (value: Value): value is Lendable => typeof value === 'object' && value !== null;
const asArgument = (value: Value): number | bigint | null =>
  isLendable(value) ? addressOf(value) : value;

/** Runs a call in the background, tells of its steps, and asks it to stop when the signal says so. */
async function watched(
  api: CApi,
  handle: bigint,
  native: ForeignFunction,
  values: readonly (number | bigint | null)[],
  { signal, onProgress }: NativeWatch,
): Promise<number> {
  if (signal.aborted) throw new SluiceError('cancelled', 'The TSMixer engine was not started.');
  const ended = callInBackground(native, [handle, ...values]);
  const stop = () => api.stop(handle);
  const timer = setInterval(() => {
    if (signal.aborted) stop(); // again: the first may have come before the call began
    onProgress(Number(api.progress(handle)));
  }, pollMs);
  signal.addEventListener('abort', stop);
  try {
    return (await ended) as number;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', stop);
  }
}

const deviceBytes = 96;
const configBytes = 80;
const memberBytes = 32;
const statsBytes = 24;

function configStruct(config: NativeTsmixerConfig, members: number): Uint8Array {
  const bytes = new Uint8Array(configBytes);
  new Int32Array(bytes.buffer).set([
    configBytes,
    members,
    config.tokens,
    config.channels,
    config.hidden,
    config.blocks,
    config.horizon,
    config.head === 'flat' ? 0 : 1,
    config.keptChannels,
    config.activation === 'relu' ? 0 : 1,
    config.revin ? 1 : 0,
    config.batch,
    config.loss === 'mse' ? 0 : 1,
    config.threads,
  ]);
  const { huberDelta, beta1, beta2, epsilon } = config;
  new Float32Array(bytes.buffer, 4 * 14).set([huberDelta, beta1, beta2, epsilon]);
  new Int32Array(bytes.buffer, 4 * 18).set([config.device, config.precision === 'fp32' ? 0 : 1]);
  return bytes;
}

function memberStructs(members: readonly NativeTsmixerMember[]): Uint8Array {
  const bytes = new Uint8Array(members.length * memberBytes);
  members.forEach((member, k) => {
    const { seed, learningRate, weightDecay, dropout, teacher, clip } = member;
    new BigUint64Array(bytes.buffer, k * memberBytes, 1)[0] = BigInt(seed);
    new Float32Array(bytes.buffer, k * memberBytes + 8, 5).set([
      learningRate,
      weightDecay,
      dropout,
      teacher,
      clip,
    ]);
  });
  return bytes;
}

const statStructs = (members: number): Uint8Array => new Uint8Array(members * statsBytes);

function readStats(bytes: Uint8Array): NativeTsmixerStats[] {
  return Array.from({ length: bytes.length / statsBytes }, (_, k) => {
    const [step, samples] = new BigInt64Array(bytes.buffer, k * statsBytes, 2);
    const [loss] = new Float64Array(bytes.buffer, k * statsBytes + 16, 1);
    return { step: Number(step), samples: Number(samples), loss: loss! };
  });
}
