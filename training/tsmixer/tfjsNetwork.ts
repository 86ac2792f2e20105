// The network and its loss in TensorFlow.js's operations: written from the formulas, not from the native engine, so that
// each is a check of the other.

import { type TsmixerShape, tsmixerEpsilon, tsmixerParameters } from '../../models/score/index.ts';
import type { Batch } from './batch.ts';
import type { EngineTask } from './engine.ts';
import type { Scalar, Tensor, Tensor2D, Tensor3D, TensorFlow } from './tensorflow.ts';

/** What a gradient depends on besides parameters and samples. */
export interface TfjsStep {
  readonly teacherLambda: number;
  /** sets some numbers to 0 and scales the others, anew each time it is called */
  readonly drop: Drop;
}
type Drop = <T extends Tensor>(x: T) => T;
type LossTask = Pick<EngineTask, 'shape' | 'loss'>;

const dropNothing: Drop = (x) => x;

/** Loss of a step over a batch, and its gradient [P] at flat parameters [P]. Call it inside `tf.tidy`. */
export function tfjsGradient(
  tf: TensorFlow,
  task: LossTask,
  step: TfjsStep,
  parameters: Tensor,
  batch: Batch,
): { readonly loss: Scalar; readonly gradient: Tensor } {
  const loss = (...tensors: Tensor[]) => batchLoss(tf, task, step, tensors, batch);
  const { value, grads } = tf.valueAndGrads(loss)(cut(tf, task.shape, parameters));
  return { loss: value as Scalar, gradient: tf.concat(grads.map((part) => part.flatten())) };
}

/** Mean loss to the targets over a batch, without dropout and teacher. */
export function tfjsEvaluate(
  tf: TensorFlow,
  task: LossTask,
  parameters: Tensor,
  batch: Batch,
): number {
  const loss = tf.tidy(() =>
    batchLoss(
      tf,
      task,
      { teacherLambda: 0, drop: dropNothing },
      cut(tf, task.shape, parameters),
      batch,
    ),
  );
  const [value] = loss.dataSync();
  loss.dispose();
  return value!;
}

/** Predictions [B*O] of a batch. */
export function tfjsPredict(
  tf: TensorFlow,
  shape: TsmixerShape,
  parameters: Tensor,
  batch: Batch,
): Float32Array {
  const y = tf.tidy(() =>
    forward(tf, shape, cut(tf, shape, parameters), windowsOf(tf, shape, batch), dropNothing),
  );
  const values = y.dataSync() as Float32Array;
  y.dispose();
  return values;
}

/** Cuts a flat vector [P] into the parameters of a shape. */
function cut(tf: TensorFlow, shape: TsmixerShape, flat: Tensor): Tensor[] {
  const listed = tsmixerParameters(shape);
  const sizes = listed.map(({ size }) => size);
  return tf.split(flat, sizes).map((part, i) => part.reshape([...listed[i]!.dims]));
}

const windowsOf = (tf: TensorFlow, { nTokens, nChannels }: TsmixerShape, batch: Batch): Tensor3D =>
  tf.tensor3d(batch.windows, [batch.size, nTokens, nChannels]);

/** Mean over the batch of weight * (mean distance to targets + lambda * mean squared distance to the teacher). */
function batchLoss(
  tf: TensorFlow,
  { shape, loss }: LossTask,
  { teacherLambda, drop }: TfjsStep,
  tensors: readonly Tensor[],
  batch: Batch,
): Scalar {
  const y = forward(tf, shape, tensors, windowsOf(tf, shape, batch), drop);
  const like = (values: Float32Array) => tf.tensor2d(values, y.shape);
  const d = y.sub(like(batch.targets));
  let perSample = (loss.kind === 'mse' ? d.square() : huber(tf, d, loss.delta)).mean(1);
  if (batch.teacher !== null && teacherLambda > 0) {
    const known = like(batch.teacher.map((value) => (Number.isNaN(value) ? 0 : 1)));
    const teacher = like(batch.teacher.map((value) => (Number.isNaN(value) ? 0 : value)));
    const distance = y.sub(teacher).mul(known).square().mean(1);
    perSample = perSample.add(distance.mul(teacherLambda));
  }
  return perSample.mul(tf.tensor1d(batch.weights)).mean();
}

/** As torch's HuberLoss: d^2 / 2 up to delta, then delta * (|d| - delta / 2). */
function huber(tf: TensorFlow, d: Tensor, delta: number): Tensor {
  const size = d.abs();
  const inner = tf.minimum(size, delta);
  return inner.square().mul(0.5).add(size.sub(inner).mul(delta));
}

/** Windows [B, L, C] to predictions [B, O]. */
function forward(
  tf: TensorFlow,
  shape: TsmixerShape,
  tensors: readonly Tensor[],
  windows: Tensor3D,
  drop: Drop,
): Tensor2D {
  const named = new Map(tsmixerParameters(shape).map(({ name }, i) => [name, tensors[i]!]));
  const get = (name: string) => named.get(name)!;
  const revin = shape.revin ? instanceNorm(tf, windows, get) : null;
  let x: Tensor3D = revin?.normalised ?? windows;
  for (let b = 0; b < shape.blocks; b += 1) {
    const of = (name: string) => get(`block${b}.${name}`);
    x = x.add(timeMixing(tf, shape, of, x, drop));
    x = x.add(featureMixing(tf, shape, of, x, drop));
  }
  const rows = x.shape[0];
  if (shape.head === 'flat')
    return linear(tf, x.reshape([rows, -1]), get('head.weight'), get('head.bias'));
  const kept = x.slice([0, 0, 0], [-1, -1, shape.keptChannels]);
  const byChannel = linear(
    tf,
    kept.transpose([0, 2, 1]).reshape([-1, shape.nTokens]),
    get('head.weight'),
    get('head.bias'),
  );
  const y = byChannel
    .reshape<Tensor3D>([rows, shape.keptChannels, shape.horizon])
    .transpose<Tensor3D>([0, 2, 1]);
  return (revin?.undo(y) ?? y).reshape([rows, -1]);
}

type Get = (name: string) => Tensor;

/** RevIN (Kim et al. 2022) with statistics that no gradient goes through. */
function instanceNorm(tf: TensorFlow, windows: Tensor3D, get: Get) {
  const { mean, variance } = tf.moments(windows, 1, true); // of data, which no gradient reaches
  const std = variance.add(tsmixerEpsilon).sqrt();
  const weight = get('revin.weight');
  const bias = get('revin.bias');
  const leading = (t: Tensor, count: number) => t.slice(0, count);
  return {
    normalised: windows.sub(mean).div(std).mul(weight).add(bias) as Tensor3D,
    undo(y: Tensor3D): Tensor3D {
      const count = y.shape[2];
      const own = (t: Tensor) => t.slice([0, 0, 0], [-1, -1, count]);
      return y
        .sub(leading(bias, count))
        .div(leading(weight, count))
        .mul(own(std))
        .add(own(mean)) as Tensor3D;
    },
  };
}

function timeMixing(tf: TensorFlow, shape: TsmixerShape, of: Get, x: Tensor3D, drop: Drop) {
  const { nTokens: L, nChannels: C } = shape;
  const n = layerNorm(tf, x, of('norm_time.gamma'), of('norm_time.beta'));
  const mixed = linear(
    tf,
    n.transpose([0, 2, 1]).reshape([-1, L]),
    of('time.weight'),
    of('time.bias'),
  );
  return drop(activate(tf, shape, mixed))
    .reshape<Tensor3D>([-1, C, L])
    .transpose<Tensor3D>([0, 2, 1]);
}

function featureMixing(tf: TensorFlow, shape: TsmixerShape, of: Get, x: Tensor3D, drop: Drop) {
  const { nTokens: L, nChannels: C } = shape;
  const n = layerNorm(tf, x, of('norm_feature.gamma'), of('norm_feature.beta'));
  const up = linear(tf, n.reshape([-1, C]), of('up.weight'), of('up.bias'));
  const down = linear(tf, drop(activate(tf, shape, up)), of('down.weight'), of('down.bias'));
  return drop(down).reshape<Tensor3D>([-1, L, C]);
}

/** Over all numbers of a window together. */
function layerNorm(tf: TensorFlow, x: Tensor3D, gamma: Tensor, beta: Tensor): Tensor3D {
  const { mean, variance } = tf.moments(x, [1, 2], true);
  return x.sub(mean).div(variance.add(tsmixerEpsilon).sqrt()).mul(gamma).add(beta);
}

const linear = (tf: TensorFlow, x: Tensor, weight: Tensor, bias: Tensor): Tensor2D =>
  tf.matMul<Tensor2D>(x as Tensor2D, weight as Tensor2D, false, true).add(bias);

/** gelu is the exact one: x * (1 + erf(x / sqrt 2)) / 2. */
const activate = (tf: TensorFlow, { activation }: TsmixerShape, x: Tensor2D): Tensor2D =>
  activation === 'relu' ? tf.relu(x) : x.mul(tf.erf(x.mul(Math.SQRT1_2)).add(1)).mul(0.5);
