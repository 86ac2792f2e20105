// The engine that is used: libsluice, on the processor's vector units or on a GPU.

import { SluiceError } from '../../core/index.ts';
import { tsmixerOutputs } from '../../models/score/index.ts';
import {
  findSluice,
  type NativeTsmixer,
  type NativeWatch,
  type Precision,
  type SluiceLibrary,
} from '../native/index.ts';
import {
  adamW,
  type EngineDevice,
  type EngineSession,
  type EngineTask,
  type EngineWatch,
  type TsmixerEngine,
} from './engine.ts';
import { stepOf } from './state.ts';

/** Of several GPUs the first; CUDA_VISIBLE_DEVICES says which one that is. */
const ordinal = 0;

/**
 * Makes the native engine on the device of a library.
 * @param precision of the matrix products of a GPU; a CPU has fp32 alone
 * @throws SluiceError `tool_missing` if the library or its device is not here
 */
export function nativeEngine(
  library: SluiceLibrary = findSluice(),
  precision: Precision = 'fp32',
): TsmixerEngine {
  const { name, capability, driver } = library.deviceInfo(ordinal);
  const gpu = capability > 0;
  const kind: EngineDevice['kind'] = gpu ? 'cuda' : 'cpu';
  const version = [library.abi, library.kernels, ...(gpu ? [`sm${capability}`, precision] : [])];
  return {
    name: 'native',
    version: version.join('-'),
    device: { kind, name, precision, driver: gpu ? cudaVersion(driver) : null },
    open: (task) => openSession(library, precision, task),
  };
}

/** 13020 is CUDA 13.2. */
const cudaVersion = (number: number): string =>
  `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

function openSession(
  library: SluiceLibrary,
  precision: Precision,
  task: EngineTask,
): EngineSession {
  const native = createNative(library, precision, task);
  try {
    lendSamples(native, task);
  } catch (error) {
    native.free();
    throw error;
  }
  const outputs = tsmixerOutputs(task.shape);
  const locate = (error: unknown) => {
    throw located(native, error);
  };
  return {
    stateBytes: native.stateBytes,
    train: ({ train, ...order }, watch) =>
      native.train({ samples: train, ...order }, nativeWatch(watch)).catch(locate),
    evaluate: (samples, watch) => native.evaluate(samples, nativeWatch(watch)).catch(locate),
    async predict(samples, watch) {
      const each = samples.length * outputs;
      const all = new Float32Array(native.members * each);
      await native.predict(samples, all, nativeWatch(watch));
      return task.members.map((_, k) => all.slice(k * each, (k + 1) * each));
    },
    readState: (member) => native.readState(member),
    writeState: (member, state) => native.writeState(member, state),
    close: () => native.free(),
  };
}

function createNative(
  library: SluiceLibrary,
  precision: Precision,
  task: EngineTask,
): NativeTsmixer {
  const { shape, members, batch, loss, threads } = task;
  return library.createTsmixer(
    {
      tokens: shape.nTokens,
      channels: shape.nChannels,
      hidden: shape.hidden,
      blocks: shape.blocks,
      horizon: shape.horizon,
      head: shape.head,
      keptChannels: shape.keptChannels,
      activation: shape.activation,
      revin: shape.revin,
      batch,
      loss: loss.kind,
      threads,
      huberDelta: loss.kind === 'huber' ? loss.delta : 0,
      ...adamW,
      device: ordinal,
      precision,
    },
    members.map(({ seed, learningRate, weightDecay, dropout, teacherLambda, clipNorm }) => ({
      seed,
      learningRate,
      weightDecay,
      dropout,
      teacher: teacherLambda,
      clip: clipNorm,
    })),
  );
}

function lendSamples(native: NativeTsmixer, { shape, samples }: EngineTask): void {
  const { series, windowEnds, targets, teacher, weights } = samples;
  const rows = series.length / shape.nChannels;
  native.lend({ series, rows, ends: windowEnds, targets, teacher, weights });
}

const nativeWatch = ({ signal, onSteps }: EngineWatch): NativeWatch => ({
  signal,
  onProgress: onSteps,
});

/** Adds to a loss that is no number whose it is: the library's sentence names the member, its state the step. */
function located(native: NativeTsmixer, error: unknown): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'non_finite') return error;
  const member = Number(/member (\d+)/.exec(error.message)?.[1] ?? 0);
  const step = stepOf(native.readState(member));
  return new SluiceError(error.code, error.message, { ...error.context, member, step }, error);
}
