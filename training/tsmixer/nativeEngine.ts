// The engine that is used: libsluice, on the processor's vector units.

import { SluiceError } from '../../core/index.ts';
import { tsmixerOutputs } from '../../models/score/index.ts';
import {
  findSluice,
  type NativeTsmixer,
  type NativeWatch,
  type SluiceLibrary,
} from '../native/index.ts';
import {
  adamW,
  type EngineSession,
  type EngineTask,
  type EngineWatch,
  type TsmixerEngine,
} from './engine.ts';
import { stepOf } from './state.ts';

/**
 * Makes the native engine.
 * @throws SluiceError `tool_missing`
 */
export function nativeEngine(library: SluiceLibrary = findSluice()): TsmixerEngine {
  const version = `${library.abi}-${library.kernels}`;
  return { name: 'native', version, open: (task) => openSession(library, task) };
}

function openSession(library: SluiceLibrary, task: EngineTask): EngineSession {
  const native = createNative(library, task);
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

function createNative(library: SluiceLibrary, task: EngineTask): NativeTsmixer {
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
      device: 0,
      precision: 'fp32',
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
