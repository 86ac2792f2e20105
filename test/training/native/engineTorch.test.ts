import { expect } from 'chai';
import { projectPath, readJson } from '../../../core/index.ts';
import { type TsmixerShape, tsmixerOutputs } from '../../../models/score/index.ts';
import type { Precision } from '../../../training/native/index.ts';
import {
  allSamples,
  caseParameters,
  caseSamples,
  cpu,
  type Device,
  type EngineCase,
  gpus,
  gradientErrorBound,
  member,
  openCase,
  parametersIn,
  predictOn,
  stepTolerances,
  trainTo,
  withEmulatedGpu,
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

const open = (recorded: Recorded, device: Device) => {
  const { rate, decay, teacher, clip, beta1, beta2, epsilon } = recorded;
  const one = member({ learningRate: rate, weightDecay: decay, teacher, clip });
  return openCase(problemOf(recorded), [one], { beta1, beta2, epsilon }, device);
};

/** Cases whose steps a slow device makes too. */
const fewSteps: Readonly<Record<Precision, readonly string[]>> = {
  fp32: ['all of it', 'clipping', 'a schedule, with decay'],
  tf32: ['all of it'],
};

/** In TF32 a relu may turn where torch's does not, and no bound speaks of that. */
const comparable = ({ activation }: Recorded, { precision }: Device): boolean =>
  precision === 'fp32' || activation === 'gelu';

function hasGradient(recorded: Recorded, device: Device): void {
  const bound = gradientErrorBound(shapeOf(recorded), recorded.batch, device.precision);
  const expected = floats(recorded.gradient);
  const largest = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const gradient = new Float32Array(expected.length);
  const engine = open(recorded, device);
  const loss = engine.gradient(0, allSamples(recorded.batch), 0, gradient);
  engine.free();
  expect(loss).to.be.closeTo(recorded.losses[0]!, 2 * bound * recorded.losses[0]!);
  gradient.forEach((g, i) => {
    expect(g, `${i}`).to.be.closeTo(expected[i]!, bound * largest);
  });
}

async function makesSteps(recorded: Recorded, device: Device): Promise<void> {
  const { steps } = recording;
  const { rate, epsilon } = recorded;
  const shape = shapeOf(recorded);
  const bound = gradientErrorBound(shape, recorded.batch, device.precision);
  const samples = allSamples(recorded.batch);
  const engine = open(recorded, device);
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

  const rms = floats(recorded.rms_gradient);
  const ended = floats(recorded.parameters);
  const begun = caseParameters(shape);
  const tolerances = stepTolerances({ bound, steps, rate, epsilon, rms, begun, ended });
  found.forEach((p, i) => {
    expect(p, `parameter ${i}`).to.be.closeTo(ended[i]!, tolerances[i]!);
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
}

for (const device of [cpu, ...gpus]) {
  describe(`the native engine beside ${recording.made_with}, on ${device.name}`, () => {
    if (device !== cpu) withEmulatedGpu();
    for (const recorded of recording.cases.filter((one) => comparable(one, device))) {
      it(`${recorded.name}: has its gradient`, () => hasGradient(recorded, device));
      if (device !== cpu && !fewSteps[device.precision].includes(recorded.name)) continue;
      it(`${recorded.name}: makes its ${recording.steps} steps`, () =>
        makesSteps(recorded, device));
    }
  });
}
