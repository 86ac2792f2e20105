// A GPU beside the CPU: what both compute of the same odd shapes. Either lies within one bound of the exact result, so
// they lie within two of each other; that they drop the same numbers shows in gradients with dropout.

import { expect } from 'chai';
import {
  type TsmixerShape,
  tsmixerOutputs,
  tsmixerParameterCount,
  tsmixerParameters,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import type { NativeTsmixerMember } from '../../../training/native/index.ts';
import {
  allSamples,
  caseParameters,
  caseSamples,
  cpu,
  type Device,
  type EngineCase,
  evaluateOn,
  gathered,
  gpu,
  gradientErrorBound,
  member,
  openCase,
  parametersIn,
  predictOn,
  stateWith,
  stepTolerances,
  trainTo,
  withEmulatedGpu,
} from './engineCase.ts';

/** Something that both devices compute. */
interface Compared {
  readonly problem: EngineCase;
  readonly of: NativeTsmixerMember;
}

const odd: TsmixerShape = {
  nTokens: 7,
  nChannels: 5,
  hidden: 3,
  blocks: 2,
  horizon: 2,
  head: 'flat',
  keptChannels: 5,
  activation: 'gelu',
  revin: false,
};
const temporal = { ...odd, head: 'temporal', horizon: 3, revin: true } as const;

function compared(
  changes: Partial<TsmixerShape>,
  { batch = 3, count = batch, ...own }: Partial<EngineCase> & { readonly count?: number } = {},
  of: Partial<NativeTsmixerMember> = {},
): Compared {
  const base = changes.head === 'temporal' ? temporal : odd;
  const shape = { ...base, keptChannels: changes.nChannels ?? base.keptChannels, ...changes };
  const samples = caseSamples(shape, shape.nTokens + 60, count, true);
  const problem: EngineCase = {
    shape,
    batch,
    loss: 'mse',
    huberDelta: 0.5,
    teacherLambda: 0,
    ...samples,
    ...own,
  };
  return { problem, of: member({ dropout: 0.5, ...of }) };
}

const cases: Readonly<Record<string, Compared>> = {
  'L 7, C 5, ff 3': compared({}),
  'L 17, C 21, relu': compared({ nTokens: 17, nChannels: 21, hidden: 9, activation: 'relu' }),
  'L 33, C 1': compared({ nTokens: 33, nChannels: 1, hidden: 6 }),
  'one of everything': compared({ nTokens: 1, nChannels: 1, hidden: 1, blocks: 1, horizon: 1 }),
  'L 1, C 40, ff 70': compared({ nTokens: 1, nChannels: 40, hidden: 70, blocks: 1 }),
  'RevIN and a temporal head': compared({ head: 'temporal' }),
  'a temporal head without RevIN, few channels kept': compared({
    head: 'temporal',
    revin: false,
    nTokens: 17,
    nChannels: 9,
    keptChannels: 2,
    horizon: 11,
  }),
  'Huber loss': compared({ nTokens: 9 }, { loss: 'huber' }),
  'a teacher that does not know everything': compared(
    { head: 'temporal', nChannels: 3 },
    { loss: 'huber', batch: 5 },
    { teacher: 0.7 },
  ),
  'no weights, and a clipped gradient': compared({}, { weights: null, batch: 4 }, { clip: 0.05 }),
  'two samples of a block at a time': compared({ nTokens: 3, blocks: 1 }, { batch: 257 }),
  'four samples of a block at a time, and a teacher': compared(
    { nTokens: 5, nChannels: 3, blocks: 1, head: 'temporal' },
    { batch: 513 },
    { teacher: 1.5 },
  ),
};

const open = ({ problem, of }: Compared, device: Device) => openCase(problem, [of], {}, device);

function gradientOn(one: Compared, device: Device) {
  const engine = open(one, device);
  const gradient = new Float32Array(tsmixerParameterCount(one.problem.shape));
  const loss = engine.gradient(0, allSamples(one.problem.batch), 3, gradient);
  engine.free();
  return { loss, gradient };
}

/** Parameters, their root mean square gradients and losses of steps in batches of the problem, the last one cut short. */
async function stepsOn(one: Compared, device: Device, steps: number) {
  const engine = open(one, device);
  const samples = allSamples(one.problem.ends.length);
  const losses: number[] = [];
  for (let step = 1; step <= steps; step += 1) {
    const [stats] = await trainTo(engine, samples, step);
    losses.push(stats!.loss);
  }
  const state = engine.readState(0);
  const [evaluated] = await evaluateOn(engine, samples);
  engine.free();
  const parameters = parametersIn(state);
  const second = new Float32Array(state.slice(8 + 8 * parameters.length).buffer);
  const rms = second.map((v) => Math.sqrt(v / (1 - 0.999 ** steps)));
  return { parameters, rms, losses, evaluated: evaluated!.loss };
}

const largestOf = (values: Float32Array): number =>
  values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);

describe('the native engine on a GPU beside the CPU', () => {
  withEmulatedGpu();

  for (const [name, one] of Object.entries(cases)) {
    const { shape, batch } = one.problem;
    const bound = 2 * gradientErrorBound(shape, batch);

    it(`${name}: predicts and evaluates the same`, async () => {
      const samples = allSamples(Math.min(9, one.problem.ends.length));
      const [expected, found] = await Promise.all(
        [cpu, gpu.fp32].map(async (device) => {
          const engine = open(one, device);
          const y = await predictOn(engine, samples, tsmixerOutputs(shape));
          const [stats] = await evaluateOn(engine, samples);
          engine.free();
          return { y, loss: stats!.loss };
        }),
      );
      const size = shape.nTokens * shape.nChannels * samples.length;
      const windows = gathered(one.problem).windows.subarray(0, size);
      const weights = { shape, values: caseParameters(shape) };
      const tolerances = tsmixerTolerances(weights, windows, samples.length);
      found!.y.forEach((y, i) => {
        expect(y, `output ${i}`).to.be.closeTo(expected!.y[i]!, 2 * tolerances[i]!);
      });
      expect(found!.loss).to.be.closeTo(expected!.loss, 2 * bound * expected!.loss);
    });

    it(`${name}: has the same gradient, with the same numbers dropped`, () => {
      const [expected, found] = [gradientOn(one, cpu), gradientOn(one, gpu.fp32)];
      expect(found.loss).to.be.closeTo(expected.loss, 2 * bound * expected.loss);
      const largest = largestOf(expected.gradient);
      found.gradient.forEach((g, i) => {
        expect(g, `parameter ${i}`).to.be.closeTo(expected.gradient[i]!, bound * largest);
      });
      const other = gradientOn({ ...one, of: { ...one.of, seed: 9 } }, cpu).gradient;
      const apart = other.reduce((m, g, i) => Math.max(m, Math.abs(g - expected.gradient[i]!)), 0);
      expect(apart, 'other masks would show').to.be.above(10 * bound * largest);
    });
  }

  const trained: Readonly<Record<string, Compared>> = {
    'flat, all samples in a step': compared({}, { batch: 4 }, { clip: 0.1, weightDecay: 0.2 }),
    'flat, the last step of an epoch cut short': compared(
      { nTokens: 17, nChannels: 21, hidden: 9, blocks: 1 },
      { batch: 3, count: 8 },
    ),
    'temporal, RevIN, a teacher, Huber': compared(
      { head: 'temporal', blocks: 1 },
      { batch: 2, count: 5, loss: 'huber' },
      { teacher: 0.7 },
    ),
    'groups of four, a short step of two groups': compared(
      { nTokens: 3, nChannels: 2, blocks: 1 },
      { batch: 512, count: 518 },
    ),
  };
  for (const [name, one] of Object.entries(trained)) {
    it(`${name}: goes the same way in AdamW`, async () => {
      const { shape, batch } = one.problem;
      const steps = batch > 100 ? 3 : 5;
      const { learningRate: rate } = one.of;
      const [expected, found] = [
        await stepsOn(one, cpu, steps),
        await stepsOn(one, gpu.fp32, steps),
      ];
      const bound = 2 * gradientErrorBound(shape, batch);
      const begun = caseParameters(shape);
      const { rms, parameters: ended } = expected;
      const tolerances = stepTolerances({
        ...{ bound, steps, rate, epsilon: 1e-8 },
        ...{ rms, begun, ended },
      });
      found.parameters.forEach((p, i) => {
        expect(p, `parameter ${i}`).to.be.closeTo(ended[i]!, tolerances[i]!);
      });
      found.losses.forEach((loss, step) => {
        const near = (step + 1) * 4 * bound * Math.max(...expected.losses);
        expect(loss, `loss of step ${step}`).to.be.closeTo(expected.losses[step]!, near);
      });
      const near = steps * 4 * bound * Math.max(...expected.losses, expected.evaluated);
      expect(found.evaluated).to.be.closeTo(expected.evaluated, near);
    });
  }

  it('rounds the operands of products in TF32', () => {
    const one = compared({ nTokens: 17, nChannels: 21, hidden: 9 });
    const { shape, batch } = one.problem;
    const [exact, rounded] = [gradientOn(one, gpu.fp32), gradientOn(one, gpu.tf32)];
    const largest = largestOf(exact.gradient);
    for (const { name, offset, size } of tsmixerParameters(shape)) {
      const apart = rounded.gradient
        .slice(offset, offset + size)
        .map((g, i) => g - exact.gradient[offset + i]!);
      const bound = gradientErrorBound(shape, batch, 'tf32');
      expect(largestOf(apart), name).to.be.at.most(bound * largest);
      if (name !== 'block0.time.weight') continue;
      expect(largestOf(apart)).to.be.above(gradientErrorBound(shape, batch) * largest);
    }
  });

  it('rounds nothing else: without products TF32 predicts the same numbers', async () => {
    const { problem, of } = compared({ nTokens: 17 }, { batch: 8 });
    const parameters = caseParameters(problem.shape);
    for (const { name, offset, size } of tsmixerParameters(problem.shape)) {
      if (/(time|up|down)\.weight$/.test(name)) parameters.fill(0, offset, offset + size);
    }
    const [exact, rounded] = await Promise.all(
      [gpu.fp32, gpu.tf32].map(async (device) => {
        const engine = openCase(problem, [of], {}, device);
        engine.writeState(0, stateWith(parameters));
        const y = await predictOn(engine, allSamples(8), tsmixerOutputs(problem.shape));
        engine.free();
        return y;
      }),
    );
    expect(rounded).to.deep.equal(exact);
  });

  it('serves engines of several shapes at once, whichever was made last', async () => {
    const [large, small] = [compared({ nTokens: 17, nChannels: 21 }), compared({ hidden: 2 })];
    const open = ({ problem, of }: Compared) => openCase(problem, [of], {}, gpu.tf32);
    const engines = [open(large), open(small)] as const;
    const predictions = async (engine: (typeof engines)[number], { problem }: Compared) =>
      await predictOn(engine, allSamples(3), tsmixerOutputs(problem.shape));
    const beside = await predictions(engines[0], large);
    engines[1].free();
    engines[0].free();
    const alone = open(large);
    expect(await predictions(alone, large)).to.deep.equal(beside);
    alone.free();
  });
});
