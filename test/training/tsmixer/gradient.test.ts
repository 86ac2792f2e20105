// Gradients of the code that trains against the differentiation of TensorFlow.js, over shapes of every kind.

import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import { type TsmixerShape, tsmixerParameters } from '../../../models/score/index.ts';
import { findSluice } from '../../../training/native/index.ts';
import { gatherBatch } from '../../../training/tsmixer/batch.ts';
import type { EngineTask } from '../../../training/tsmixer/engine.ts';
import { initialWeights } from '../../../training/tsmixer/index.ts';
import { freshState } from '../../../training/tsmixer/state.ts';
import { loadTensorFlow } from '../../../training/tsmixer/tensorflow.ts';
import { tfjsGradient } from '../../../training/tsmixer/tfjsNetwork.ts';
import { indices, randomSamples } from './problem.ts';

/** Any small shape, multiples of nothing. */
function randomShape(seed: number): TsmixerShape {
  const random = createRandom(seed);
  const below = (n: number) => 1 + random.integer(n);
  const nChannels = below(9);
  const head = random.uniform() < 0.5 ? 'flat' : 'temporal';
  return {
    nTokens: below(20),
    nChannels,
    hidden: below(20),
    blocks: below(3),
    horizon: below(4),
    head,
    keptChannels: head === 'flat' ? nChannels : below(nChannels),
    activation: random.uniform() < 0.5 ? 'relu' : 'gelu',
    revin: head === 'temporal' && random.uniform() < 0.7,
  };
}

describe('gradients of the native engine', () => {
  const tf = loadTensorFlow();
  const library = findSluice();

  for (let i = 0; i < 12; i += 1) {
    const shape = randomShape(i);
    for (const loss of [{ kind: 'mse' }, { kind: 'huber', delta: 0.7 }] as const) {
      it(`are those of TensorFlow.js: ${describeShape(shape)}, ${loss.kind}`, () => {
        const drawn = randomSamples(shape, 37, 100 + i);
        const samples =
          shape.head === 'temporal' && i % 2 === 0 ? { ...drawn, targets: null } : drawn;
        const parameters = initialWeights(shape, 5 + i).values.map((v, p) => v + jitter(p));
        const chosen = indices(0, 37);
        const native = nativeGradient(library, shape, samples, loss, parameters);
        const found = tf.tidy(() => {
          const step = { teacherLambda: 0.7, drop: <T>(x: T) => x };
          const batch = gatherBatch(shape, samples, chosen);
          const at = tf.tensor1d(parameters);
          const { loss: value, gradient } = tfjsGradient(tf, { shape, loss }, step, at, batch);
          return { loss: value.dataSync()[0]!, gradient: gradient.dataSync() };
        });
        const all = native.of(chosen);
        const bound = 2 * relativeError(shape, chosen.length);
        expect(all.loss).to.be.closeTo(found.loss, bound * found.loss);
        const magnitude = sumOfMagnitudes(native.of, chosen, parameters.length);
        for (const { name, offset, size } of tsmixerParameters(shape)) {
          const largest = Math.max(...magnitude.subarray(offset, offset + size));
          for (let p = offset; p < offset + size; p += 1) {
            expect(all.gradient[p], `${name} ${p - offset}`).to.be.closeTo(
              found.gradient[p]!,
              bound * largest,
            );
          }
        }
      });
    }
  }
});

function describeShape({ head, activation, revin, ...sizes }: TsmixerShape): string {
  return `${Object.values(sizes).join(' ')} ${head} ${activation}${revin ? ' revin' : ''}`;
}

/** Away from the special values 0 and 1 of biases and scales. */
const jitter = (p: number): number => 0.1 * Math.sin(p + 1);

/**
 * Relative error that K roundings explain, as in models/score/tsmixerTolerance.ts: each sum of n products on the way
 * there and back adds n of them, activations a few and those of TensorFlow.js's erf (1.5e-7 is three).
 */
function relativeError(shape: TsmixerShape, batch: number): number {
  const { nTokens: L, nChannels: C, hidden: F, blocks, horizon } = shape;
  const block = 4 * L * C + L + C + F + 30;
  const roundings = 2 * (blocks * block + L * C + horizon * C + (shape.revin ? 4 * L : 0)) + batch;
  return Math.expm1(6 * Math.sqrt(roundings) * 2 ** -24);
}

function nativeGradient(
  library: ReturnType<typeof findSluice>,
  shape: TsmixerShape,
  samples: EngineTask['samples'],
  loss: EngineTask['loss'],
  parameters: Float32Array,
) {
  const engine = library.createTsmixer(
    {
      tokens: shape.nTokens,
      channels: shape.nChannels,
      ...shape,
      batch: 37,
      loss: loss.kind,
      threads: 1,
      huberDelta: loss.kind === 'huber' ? loss.delta : 0,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      device: 0,
      precision: 'fp32',
    },
    [{ seed: 0, learningRate: 0, weightDecay: 0, dropout: 0, teacher: 0.7, clip: 0 }],
  );
  const rows = samples.series.length / shape.nChannels;
  engine.lend({ ...samples, rows, ends: samples.windowEnds });
  engine.writeState(0, freshState(parameters));
  return {
    of(chosen: Int32Array) {
      const gradient = new Float32Array(parameters.length);
      return { loss: engine.gradient(0, chosen, 0, gradient), gradient };
    },
  };
}

/** [P] mean over samples of the size of their own gradients: what rounding is relative to. */
function sumOfMagnitudes(
  gradientOf: (chosen: Int32Array) => { readonly gradient: Float32Array },
  chosen: Int32Array,
  parameters: number,
): Float64Array {
  const sum = new Float64Array(parameters);
  for (const sample of chosen) {
    gradientOf(Int32Array.of(sample)).gradient.forEach((value, p) => {
      sum[p]! += Math.abs(value) / chosen.length;
    });
  }
  return sum;
}
