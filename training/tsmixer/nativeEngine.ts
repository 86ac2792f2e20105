// The engine that is used: libsluice, on the processor's vector units.

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

/**
 * Makes the native engine.
 * @throws SluiceError `tool_missing`
 */
export function nativeEngine(library: SluiceLibrary = findSluice()): TsmixerEngine {
  return { name: 'native', open: (task) => openSession(library, task) };
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
  return {
    stateBytes: native.stateBytes,
    train: ({ train, ...order }, watch) =>
      native.train({ samples: train, ...order }, nativeWatch(watch)),
    evaluate: (samples, watch) => native.evaluate(samples, nativeWatch(watch)),
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
