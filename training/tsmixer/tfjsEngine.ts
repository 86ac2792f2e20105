// TensorFlow.js as an engine: its own differentiation, on a processor some two hundred times slower. Formulas, schedule
// and order of samples are the native engine's; dropout is drawn by a generator of its own, so with dropout its numbers
// are other ones.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { createRandom, SluiceError } from '../../core/index.ts';
import { tsmixerOutputs, tsmixerParameterCount } from '../../models/score/index.ts';
import { type Batch, gatherBatch } from './batch.ts';
import {
  adamW,
  type EngineDevice,
  type EngineSession,
  type EngineStats,
  type EngineTask,
  type EngineWatch,
  type TrainOrder,
  type TsmixerEngine,
} from './engine.ts';
import { sampleOrder } from './sampleOrder.ts';
import { stateBytes, stepOf } from './state.ts';
import { loadTensorFlow, type Tensor, type TensorFlow } from './tensorflow.ts';
import { tfjsEvaluate, tfjsGradient, tfjsPredict } from './tfjsNetwork.ts';

/** What `@tensorflow/tfjs-node-gpu` calls its backend; TensorFlow allows TF32 in products where a GPU has it. */
const nodeGpu = 'tensorflow';

/**
 * Makes the engine; TensorFlow.js must be installed.
 * @throws SluiceError `tool_missing`
 */
export function tfjsEngine(tf: TensorFlow = loadTensorFlow()): TsmixerEngine {
  const name = tf.getBackend();
  const device: EngineDevice =
    name === nodeGpu
      ? { kind: 'cuda', name, precision: 'tf32', driver: null }
      : { kind: 'cpu', name, precision: 'fp32', driver: null };
  const version = `${tf.version_core}-${name}`;
  return { name: 'tfjs', version, device, open: (task) => openSession(tf, task) };
}

/** A member between two steps. */
interface Member {
  step: number;
  /** parameters, first and second moments, [P] each */
  tensors: readonly Tensor[];
}

interface Session {
  readonly tf: TensorFlow;
  readonly task: EngineTask;
  readonly members: readonly Member[];
}

function openSession(tf: TensorFlow, task: EngineTask): EngineSession {
  const parameters = tsmixerParameterCount(task.shape);
  const members = task.members.map((): Member => ({ step: 0, tensors: [] }));
  const session = { tf, task, members };
  const blank = new Uint8Array(stateBytes(parameters));
  for (const member of members) writeState(tf, member, blank);
  return {
    stateBytes: blank.length,
    train: (order, watch) => train(session, order, watch),
    evaluate: (samples, watch) => evaluate(session, samples, watch),
    predict: (samples, watch) => predict(session, samples, watch),
    readState: (k) => readState(members[k]!),
    writeState: (k, state) => writeState(tf, members[k]!, state),
    close: () => tf.dispose(members.flatMap(({ tensors }) => [...tensors])),
  };
}

function readState({ step, tensors }: Member): Uint8Array {
  const parts = tensors.map((tensor) => tensor.dataSync() as Float32Array);
  const count = parts[0]!.length;
  const state = new Uint8Array(stateBytes(count));
  new DataView(state.buffer).setBigInt64(0, BigInt(step), true);
  const numbers = new Float32Array(state.buffer, 8);
  parts.forEach((values, i) => {
    numbers.set(values, i * count);
  });
  return state;
}

function writeState(tf: TensorFlow, member: Member, state: Uint8Array): void {
  const numbers = new Float32Array(state.slice(8).buffer);
  const count = numbers.length / 3;
  tf.dispose([...member.tensors]);
  member.step = stepOf(state);
  member.tensors = [0, 1, 2].map((i) => tf.tensor1d(numbers.slice(i * count, (i + 1) * count)));
}

async function train(
  session: Session,
  { train: all, schedule, toStep, active }: TrainOrder,
  watch: EngineWatch,
): Promise<EngineStats[]> {
  const stats: EngineStats[] = [];
  let steps = 0;
  for (const [k, member] of session.members.entries()) {
    let samples = 0;
    let sum = 0;
    while (active[k] === 1 && member.step < toStep) {
      await breathe(watch);
      const chosen = samplesOfStep(session, k, all);
      const factor = schedule[Math.min(member.step, schedule.length - 1)]!;
      sum += chosen.length * trainStep(session, k, chosen, factor);
      samples += chosen.length;
      steps += 1;
      watch.onSteps(steps);
    }
    stats.push({ step: member.step, samples, loss: samples === 0 ? 0 : sum / samples });
  }
  return stats;
}

/** Lets others have their turn, the one who stops the training among them. */
async function breathe({ signal }: EngineWatch): Promise<void> {
  await nextTurn();
  if (signal.aborted) throw new SluiceError('cancelled', 'The TSMixer engine was stopped.');
}

function samplesOfStep({ task, members }: Session, k: number, all: Int32Array): Int32Array {
  const { step } = members[k]!;
  const epochSteps = Math.ceil(all.length / task.batch);
  const at = sampleOrder(task.members[k]!.seed, Math.floor(step / epochSteps), all.length);
  const first = (step % epochSteps) * task.batch;
  const length = Math.min(task.batch, all.length - first);
  return Int32Array.from({ length }, (_, i) => all[at(first + i)]!);
}

/** One step of AdamW (Loshchilov and Hutter 2019) as torch makes it. @returns the loss before the step */
function trainStep({ tf, task, members }: Session, k: number, chosen: Int32Array, factor: number) {
  const member = members[k]!;
  const { learningRate, weightDecay, clipNorm, dropout, seed, teacherLambda } = task.members[k]!;
  const batch = gatherBatch(task.shape, task.samples, chosen);
  const rate = learningRate * factor;
  const t = member.step + 1;
  const { beta1, beta2, epsilon } = adamW;
  const random = createRandom(seed).fork(`dropout of step ${member.step}`);
  const drop = <T extends Tensor>(x: T) =>
    dropout === 0 ? x : (tf.dropout(x, dropout, undefined, random.integer(2 ** 31)) as T);
  const [loss, ...next] = tf.tidy(() => {
    const [parameters, first, second] = member.tensors as [Tensor, Tensor, Tensor];
    const found = tfjsGradient(tf, task, { teacherLambda, drop }, parameters, batch);
    const gradient = clipNorm > 0 ? clipped(tf, found.gradient, clipNorm) : found.gradient;
    const m = first.mul(beta1).add(gradient.mul(1 - beta1));
    const v = second.mul(beta2).add(gradient.square().mul(1 - beta2));
    const scale = v
      .div(1 - beta2 ** t)
      .sqrt()
      .add(epsilon);
    const moved = m.div(1 - beta1 ** t).div(scale);
    return [found.loss, parameters.mul(1 - rate * weightDecay).sub(moved.mul(rate)), m, v];
  });
  const value = loss!.dataSync()[0]!;
  tf.dispose(Number.isFinite(value) ? [loss!, ...member.tensors] : [loss!, ...next]);
  if (!Number.isFinite(value))
    throw new SluiceError('non_finite', `The loss of member ${k} is ${value}.`, {
      member: k,
      step: member.step,
    });
  member.tensors = next;
  member.step = t;
  return value;
}

/** As torch's clip_grad_norm_. */
function clipped(tf: TensorFlow, gradient: Tensor, largest: number): Tensor {
  return gradient.mul(tf.minimum(tf.scalar(largest).div(gradient.norm().add(1e-6)), 1));
}

/** Samples in pieces of a batch. */
function* pieces({ batch, shape, samples }: EngineTask, chosen: Int32Array): Generator<Batch> {
  for (let from = 0; from < chosen.length; from += batch) {
    yield gatherBatch(shape, samples, chosen.subarray(from, from + batch));
  }
}

async function evaluate(
  { tf, task, members }: Session,
  chosen: Int32Array,
  watch: EngineWatch,
): Promise<EngineStats[]> {
  const sums = members.map(() => 0);
  for (const batch of pieces(task, chosen)) {
    await breathe(watch);
    members.forEach(({ tensors }, k) => {
      sums[k]! += batch.size * tfjsEvaluate(tf, task, tensors[0]!, batch);
    });
  }
  return members.map(({ step }, k) => ({
    step,
    samples: chosen.length,
    loss: sums[k]! / chosen.length,
  }));
}

async function predict(
  { tf, task, members }: Session,
  chosen: Int32Array,
  watch: EngineWatch,
): Promise<Float32Array[]> {
  const outputs = tsmixerOutputs(task.shape);
  const predictions = members.map(() => new Float32Array(chosen.length * outputs));
  let done = 0;
  for (const batch of pieces(task, chosen)) {
    await breathe(watch);
    members.forEach(({ tensors }, k) => {
      predictions[k]!.set(tfjsPredict(tf, task.shape, tensors[0]!, batch), done * outputs);
    });
    done += batch.size;
  }
  return predictions;
}
