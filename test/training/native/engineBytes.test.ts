// What must not change a byte of a training: threads, the members beside one, and being stopped and resumed.

import { expect } from 'chai';
import { tsmixerOutputs } from '../../../models/score/index.ts';
import type { NativeTsmixerMember } from '../../../training/native/index.ts';
import {
  allSamples,
  caseSamples,
  type EngineCase,
  evaluateOn,
  member,
  openCase,
  predictOn,
  randomCase,
  trainTo,
} from './engineCase.ts';

const shape = {
  nTokens: 13,
  nChannels: 7,
  hidden: 10,
  blocks: 2,
  horizon: 5,
  head: 'temporal',
  keptChannels: 6,
  activation: 'gelu',
  revin: true,
} as const;
const outputs = 30;
const count = 150;
/** A batch that is no multiple of the sixteen lanes, and an epoch that is no multiple of the batch. */
const problem: EngineCase = {
  shape,
  batch: 37,
  loss: 'huber',
  huberDelta: 0.5,
  teacherLambda: 0.3,
  ...caseSamples(shape, 200, count, true),
};
const schedule = Float32Array.from({ length: 9 }, (_, i) => 1 - i / 10);
const members: readonly NativeTsmixerMember[] = [
  member({ seed: 3, dropout: 0.3, teacher: 0.3, clip: 0.05, weightDecay: 0.1 }),
  member({ seed: 4, dropout: 0.6, learningRate: 3e-3 }),
  member({ seed: 3, dropout: 0, teacher: 2, learningRate: 0.1, clip: 1 }),
];

/** What a training of these members leaves behind after some steps. */
async function outcome(of: readonly NativeTsmixerMember[], threads: number, steps = 11) {
  const engine = openCase(problem, of, { threads });
  try {
    const train = await trainTo(engine, allSamples(count), steps, schedule);
    const evaluated = await evaluateOn(engine, allSamples(count));
    const predicted = await predictOn(engine, allSamples(count), outputs);
    return of.map((_, k) => ({
      state: engine.readState(k),
      train: train[k]!,
      evaluated: evaluated[k]!,
      predicted: predicted.slice(k * count * outputs, (k + 1) * count * outputs),
    }));
  } finally {
    engine.free();
  }
}

describe('a training of the native engine', () => {
  it('is the same, byte for byte, with 1, 2, 3 and 7 threads', async () => {
    const one = await outcome(members, 1);
    for (const threads of [2, 3, 7, 0]) expect(await outcome(members, threads)).to.deep.equal(one);
  });

  it('is the same with any number of threads for one member, whose batch alone can be divided', async () => {
    const one = await outcome(members.slice(0, 1), 1);
    for (const threads of [2, 3, 7]) {
      expect(await outcome(members.slice(0, 1), threads)).to.deep.equal(one);
    }
  });

  it('gives each member what it becomes alone', async () => {
    const together = await outcome(members, 2);
    for (const [k, one] of members.entries()) {
      expect([await outcome([one], 2)].flat()).to.deep.equal([together[k]]);
    }
  });

  it('leaves members that are not active where they are', async () => {
    const engine = openCase(problem, members);
    const before = members.map((_, k) => engine.readState(k));
    const watch = { signal: new AbortController().signal, onProgress: () => {} };
    const active = Uint8Array.of(0, 1, 0);
    await engine.train({ samples: allSamples(count), schedule, toStep: 11, active }, watch);
    const after = members.map((_, k) => engine.readState(k));
    engine.free();
    const [alone] = await outcome(members.slice(1, 2), 2);
    expect(after).to.deep.equal([before[0], alone!.state, before[2]]);
  });

  it('resumes from its state as if it had not stopped', async () => {
    const whole = await outcome(members, 2);
    const first = openCase(problem, members, { threads: 3 });
    await trainTo(first, allSamples(count), 6, schedule); // inside the second epoch
    const states = members.map((_, k) => first.readState(k));
    first.free();
    const second = openCase(problem, members);
    for (const [k, state] of states.entries()) second.writeState(k, state);
    await trainTo(second, allSamples(count), 11, schedule);
    const resumed = members.map((_, k) => second.readState(k));
    second.free();
    expect(resumed).to.deep.equal(whole.map(({ state }) => state));
  });

  it('stands after a whole step when it is stopped, and goes on from there', async () => {
    const steps = 4000;
    const whole = openCase(problem, members.slice(0, 1));
    const engine = openCase(problem, members.slice(0, 1));
    const stop = new AbortController();
    const watch = { signal: stop.signal, onProgress: () => stop.abort() };
    const order = { samples: allSamples(count), schedule, toStep: steps, active: Uint8Array.of(1) };
    const error = await engine.train(order, watch).then(
      () => null,
      (thrown: { code: string }) => thrown,
    );
    const at = Number(new DataView(engine.readState(0).buffer).getBigInt64(0, true));
    if (error !== null) expect(error.code).to.equal('cancelled');
    expect(at).to.be.within(1, steps);
    await trainTo(whole, allSamples(count), at, schedule);
    expect(engine.readState(0)).to.deep.equal(whole.readState(0));
    engine.free();
    whole.free();
  });

  it('changes nothing when it evaluates, predicts or takes a gradient', async () => {
    const engine = openCase(problem, members);
    await trainTo(engine, allSamples(count), 3, schedule);
    const before = engine.readState(0);
    await evaluateOn(engine, allSamples(count));
    await predictOn(engine, allSamples(count), outputs);
    engine.gradient(0, allSamples(37), 9, new Float32Array((before.length - 8) / 12));
    expect(engine.readState(0)).to.deep.equal(before);
    engine.free();
  });

  it('predicts a sample alike, whatever samples stand beside it', async () => {
    for (let seed = 100; seed < 110; seed += 1) {
      const random = randomCase(seed);
      const engine = openCase(random);
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
});
