// What must not change a byte of a training: threads or the order in which a GPU runs them, the members beside one, and
// being stopped and resumed.

import { expect } from 'chai';
import {
  type TsmixerShape,
  tsmixerOutputs,
  tsmixerParameterCount,
} from '../../../models/score/index.ts';
import type { NativeTsmixer, NativeTsmixerMember } from '../../../training/native/index.ts';
import {
  allSamples,
  caseSamples,
  countBarriers,
  cpu,
  type Device,
  type EngineCase,
  evaluateOn,
  gpus,
  limitSharedMemory,
  littleSharedMemory,
  member,
  openCase,
  predictOn,
  randomCase,
  scheduleThreads,
  trainTo,
  withEmulatedGpu,
} from './engineCase.ts';

/** A training whose bytes are looked at. */
interface Training {
  readonly device: Device;
  readonly problem: EngineCase;
  readonly samples: Int32Array;
  /** ends inside an epoch after the first */
  readonly steps: number;
  /** as many, but before */
  readonly stop: number;
}

const schedule = Float32Array.from({ length: 9 }, (_, i) => 1 - i / 10);
const members: readonly NativeTsmixerMember[] = [
  member({ seed: 3, dropout: 0.3, teacher: 0.3, clip: 0.05, weightDecay: 0.1 }),
  member({ seed: 4, dropout: 0.6, learningRate: 3e-3 }),
  member({ seed: 3, dropout: 0, teacher: 2, learningRate: 0.1, clip: 1 }),
];

const shape: TsmixerShape = {
  nTokens: 13,
  nChannels: 7,
  hidden: 10,
  blocks: 2,
  horizon: 5,
  head: 'temporal',
  keptChannels: 6,
  activation: 'gelu',
  revin: true,
};
const problemOf = (of: TsmixerShape, batch: number, count: number): EngineCase => ({
  shape: of,
  batch,
  loss: 'huber',
  huberDelta: 0.5,
  teacherLambda: 0.3,
  ...caseSamples(of, 200, count, true),
});

/** A batch that is no multiple of the sixteen lanes, and an epoch that is no multiple of the batch. */
const onCpu: Training = {
  device: cpu,
  problem: problemOf(shape, 37, 150),
  samples: allSamples(150),
  steps: 11,
  stop: 6,
};
/** The same of fewer and smaller samples. */
const onGpu = (device: Device): Training => ({
  device,
  problem: problemOf({ ...shape, nTokens: 9, blocks: 1 }, 7, 17),
  samples: allSamples(17),
  steps: 5,
  stop: 3,
});

const open = (
  { problem, device }: Training,
  of: readonly NativeTsmixerMember[] = members,
  threads = 2,
): NativeTsmixer => openCase(problem, of, { threads }, device);

/** What a training of these members leaves behind. */
async function outcome(training: Training, of = members, threads = 2) {
  const { problem, samples, steps } = training;
  const engine = open(training, of, threads);
  try {
    const train = await trainTo(engine, samples, steps, schedule);
    const evaluated = await evaluateOn(engine, samples);
    const width = samples.length * tsmixerOutputs(problem.shape);
    const predicted = await predictOn(engine, samples, tsmixerOutputs(problem.shape));
    return of.map((_, k) => ({
      state: engine.readState(k),
      train: train[k]!,
      evaluated: evaluated[k]!,
      predicted: predicted.slice(k * width, (k + 1) * width),
    }));
  } finally {
    engine.free();
  }
}

/** What holds on every device. */
function keepsItsBytes(training: Training, predictedCases: number): void {
  const { device, samples, steps, stop } = training;
  let whole: Awaited<ReturnType<typeof outcome>>;
  before(async () => {
    whole = await outcome(training);
  });

  it('gives each member what it becomes alone', async () => {
    for (const [k, one] of members.entries()) {
      expect([await outcome(training, [one])].flat()).to.deep.equal([whole[k]]);
    }
  });

  it('leaves members that are not active where they are', async () => {
    const engine = open(training);
    const before = members.map((_, k) => engine.readState(k));
    const watch = { signal: new AbortController().signal, onProgress: () => {} };
    const active = Uint8Array.of(0, 1, 0);
    await engine.train({ samples, schedule, toStep: steps, active }, watch);
    const after = members.map((_, k) => engine.readState(k));
    engine.free();
    expect(after).to.deep.equal([before[0], whole[1]!.state, before[2]]);
  });

  it('resumes from its state as if it had not stopped', async () => {
    const first = open(training, members, 3);
    await trainTo(first, samples, stop, schedule);
    const states = members.map((_, k) => first.readState(k));
    first.free();
    const second = open(training);
    for (const [k, state] of states.entries()) second.writeState(k, state);
    await trainTo(second, samples, steps, schedule);
    const resumed = members.map((_, k) => second.readState(k));
    second.free();
    expect(resumed).to.deep.equal(whole.map(({ state }) => state));
  });

  it('stands after a whole step when it is stopped, and goes on from there', async () => {
    const most = 4000;
    const undisturbed = open(training, members.slice(0, 1));
    const engine = open(training, members.slice(0, 1));
    const controller = new AbortController();
    const watch = { signal: controller.signal, onProgress: () => controller.abort() };
    const order = { samples, schedule, toStep: most, active: Uint8Array.of(1) };
    const error = await engine.train(order, watch).then(
      () => null,
      (thrown: { code: string }) => thrown,
    );
    const at = Number(new DataView(engine.readState(0).buffer).getBigInt64(0, true));
    if (error !== null) expect(error.code).to.equal('cancelled');
    expect(at).to.be.within(1, most);
    await trainTo(undisturbed, samples, at, schedule);
    expect(engine.readState(0)).to.deep.equal(undisturbed.readState(0));
    engine.free();
    undisturbed.free();
  });

  it('changes nothing when it evaluates, predicts or takes a gradient', async () => {
    const { batch, shape: of } = training.problem;
    const engine = open(training);
    await trainTo(engine, samples, stop, schedule);
    const before = members.map((_, k) => engine.readState(k));
    await evaluateOn(engine, samples);
    await predictOn(engine, samples, tsmixerOutputs(of));
    engine.gradient(0, allSamples(batch), 9, new Float32Array((before[0]!.length - 8) / 12));
    expect(members.map((_, k) => engine.readState(k))).to.deep.equal(before);
    engine.free();
  });

  it('predicts a sample alike, whatever samples stand beside it', async () => {
    for (let seed = 100; seed < 100 + predictedCases; seed += 1) {
      const random = randomCase(seed);
      const engine = openCase(random, undefined, {}, device);
      const all = allSamples(random.ends.length);
      const width = tsmixerOutputs(random.shape);
      const together = await predictOn(engine, all, width);
      for (const i of all) {
        const alone = await predictOn(engine, Int32Array.of(i), width);
        expect(alone).to.deep.equal(together.slice(i * width, (i + 1) * width));
      }
      engine.free();
    }
  });
}

describe('a training of the native engine', () => {
  keepsItsBytes(onCpu, 10);

  it('is the same, byte for byte, with 1, 2, 3 and 7 threads', async () => {
    const one = await outcome(onCpu, members, 1);
    for (const threads of [2, 3, 7, 0])
      expect(await outcome(onCpu, members, threads)).to.deep.equal(one);
  });

  it('is the same with any number of threads for one member, whose batch alone can be divided', async () => {
    const alone = members.slice(0, 1);
    const one = await outcome(onCpu, alone, 1);
    for (const threads of [2, 3, 7]) {
      expect(await outcome(onCpu, alone, threads)).to.deep.equal(one);
    }
  });
});

for (const device of gpus) {
  describe(`a training of the native engine on ${device.name}`, () => {
    const training = onGpu(device);
    withEmulatedGpu();
    keepsItsBytes(training, 3);

    it('is the same, byte for byte, in whatever order threads and blocks run', async () => {
      const one = await outcome(training);
      for (const seed of [1, 2, 77]) {
        scheduleThreads(seed);
        expect(await outcome(training), `schedule ${seed}`).to.deep.equal(one);
      }
    });

    it('is so too where shared memory is too small for a window', async () => {
      const wide = { ...training, problem: problemOf({ ...shape, hidden: 300, blocks: 1 }, 3, 5) };
      const few = { ...wide, samples: allSamples(5), steps: 3 };
      await outcome(few, members.slice(0, 1));
      const barriers = countBarriers();
      limitSharedMemory(littleSharedMemory);
      const one = await outcome(few, members.slice(0, 1));
      expect(countBarriers(), 'products in slabs').to.be.above(Number(3n * barriers));
      scheduleThreads(5);
      expect(await outcome(few, members.slice(0, 1))).to.deep.equal(one);
    });

    it('is so too where a block has four samples at a time, and one in the last', () => {
      const tiny = { ...shape, nTokens: 3, nChannels: 2, keptChannels: 2, hidden: 2, blocks: 1 };
      const batch = 513;
      const engine = openCase(problemOf(tiny, batch, batch), members, {}, device);
      const gradients = [0, 9].map((seed) => {
        scheduleThreads(seed);
        const gradient = new Float32Array(tsmixerParameterCount(tiny));
        const loss = engine.gradient(0, allSamples(batch), 4, gradient);
        return { loss, gradient };
      });
      engine.free();
      expect(gradients[1]).to.deep.equal(gradients[0]);
    });
  });
}
