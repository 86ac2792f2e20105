import { expect } from 'chai';
import { projectPath, readJson } from '../../../core/index.ts';
import {
  type TsmixerShape,
  tsmixerOutputs,
  tsmixerParameters,
} from '../../../models/score/index.ts';
import {
  allSamples,
  caseParameters,
  caseSamples,
  type EngineCase,
  gradientErrorBound,
  member,
  openCase,
  parametersIn,
  predictOn,
  trainTo,
} from './engineCase.ts';

/** A case of torch_steps.json. */
interface Recorded {
  readonly name: string;
  readonly rows: number;
  readonly tokens: number;
  readonly channels: number;
  readonly hidden: number;
  readonly blocks: number;
  readonly horizon: number;
  readonly head: 'flat' | 'temporal';
  readonly kept: number;
  readonly activation: 'relu' | 'gelu';
  readonly revin: boolean;
  readonly batch: number;
  readonly loss: 'mse' | 'huber';
  readonly delta: number;
  readonly rate: number;
  readonly decay: number;
  readonly teacher: number;
  readonly clip: number;
  readonly weights: boolean;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** factor of the rate at each step; the last one holds */
  readonly schedule: readonly number[];
  readonly losses: readonly number[];
  readonly gradient: string;
  readonly parameters: string;
  readonly outputs: string;
  readonly rms_gradient: string;
}

interface Recording {
  readonly made_with: string;
  readonly steps: number;
  readonly cases: readonly Recorded[];
}

const recording = readJson(
  projectPath('test', 'training', 'native', 'torch_steps.json'),
) as Recording;
const roundoff = 2 ** -24;

const floats = (text: string): Float32Array => {
  const { buffer, byteOffset, byteLength } = Buffer.from(text, 'base64');
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
};

const shapeOf = (recorded: Recorded): TsmixerShape => ({
  nTokens: recorded.tokens,
  nChannels: recorded.channels,
  hidden: recorded.hidden,
  blocks: recorded.blocks,
  horizon: recorded.horizon,
  head: recorded.head,
  keptChannels: recorded.kept,
  activation: recorded.activation,
  revin: recorded.revin,
});

const problemOf = (recorded: Recorded): EngineCase => {
  const shape = shapeOf(recorded);
  return {
    shape,
    batch: recorded.batch,
    loss: recorded.loss,
    huberDelta: recorded.delta,
    teacherLambda: recorded.teacher,
    ...caseSamples(shape, recorded.rows, recorded.batch, recorded.weights),
  };
};

const open = (recorded: Recorded) => {
  const { rate, decay, teacher, clip, beta1, beta2, epsilon } = recorded;
  const one = member({ learningRate: rate, weightDecay: decay, teacher, clip });
  return openCase(problemOf(recorded), [one], { beta1, beta2, epsilon });
};

/** Largest absolute number of each parameter's tensor. */
function tensorMaxima(shape: TsmixerShape, values: Float32Array): Float64Array {
  const maxima = new Float64Array(values.length);
  for (const { offset, size } of tsmixerParameters(shape)) {
    const largest = values
      .subarray(offset, offset + size)
      .reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    maxima.fill(largest, offset, offset + size);
  }
  return maxima;
}

describe(`the native engine beside ${recording.made_with}`, () => {
  for (const recorded of recording.cases) {
    const shape = shapeOf(recorded);
    const { steps } = recording;
    const bound = gradientErrorBound(shape, recorded.batch);
    const samples = allSamples(recorded.batch);

    it(`${recorded.name}: has its gradient`, () => {
      const expected = floats(recorded.gradient);
      const largest = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const gradient = new Float32Array(expected.length);
      const engine = open(recorded);
      const loss = engine.gradient(0, samples, 0, gradient);
      engine.free();
      expect(loss).to.be.closeTo(recorded.losses[0]!, 2 * bound * recorded.losses[0]!);
      gradient.forEach((g, i) => {
        expect(g, `${i}`).to.be.closeTo(expected[i]!, bound * largest);
      });
    });

    it(`${recorded.name}: makes its ${steps} steps`, async () => {
      const engine = open(recorded);
      const schedule = Float32Array.from(recorded.schedule);
      const losses: number[] = [];
      for (let step = 1; step <= steps; step += 1) {
        const [stats] = await trainTo(engine, samples, step, schedule);
        expect(stats).to.include({ step, samples: recorded.batch });
        losses.push(stats!.loss);
      }
      const found = parametersIn(engine.readState(0));
      const outputs = await predictOn(engine, samples, tsmixerOutputs(shape));
      engine.free();

      // A step moves a parameter by at most `rate` times m / (sqrt(v) + epsilon). A gradient that is off by e turns that
      // ratio by 2 e / (sqrt(v) + epsilon) at most, and never by more than 2; the parameter itself is rounded each step.
      const rms = floats(recorded.rms_gradient);
      const scale = tensorMaxima(shape, rms);
      const overall = rms.reduce((m, v) => Math.max(m, v), 0);
      const begun = caseParameters(shape);
      const expected = floats(recorded.parameters);
      found.forEach((p, i) => {
        const error = bound * Math.max(scale[i]!, overall);
        const turn = Math.min(2, (2 * error) / (rms[i]! + recorded.epsilon));
        const rounding = steps * roundoff * Math.max(Math.abs(begun[i]!), Math.abs(expected[i]!));
        expect(p, `parameter ${i}`).to.be.closeTo(
          expected[i]!,
          steps * recorded.rate * turn + rounding,
        );
      });
      recorded.losses.forEach((loss, step) => {
        const largest = Math.max(loss, recorded.losses[0]! / (step + 1));
        expect(losses[step], `loss of step ${step}`).to.be.closeTo(
          loss,
          (step + 1) * 4 * bound * largest,
        );
      });
      const expectedOutputs = floats(recorded.outputs);
      const largest = expectedOutputs.reduce((m, v) => Math.max(m, Math.abs(v)), 1);
      outputs.forEach((y, i) => {
        expect(y, `output ${i}`).to.be.closeTo(expectedOutputs[i]!, steps * 2 * bound * largest);
      });
    });
  }
});
