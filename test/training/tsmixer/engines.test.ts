// What every engine must keep, and what the two say of each other.

import { expect } from 'chai';
import { createRandom, SluiceError } from '../../../core/index.ts';
import { tsmixerForward, tsmixerTolerances } from '../../../models/score/index.ts';
import { gatherBatch } from '../../../training/tsmixer/batch.ts';
import type { EngineSession, EngineTask, EngineWatch } from '../../../training/tsmixer/engine.ts';
import { initialWeights, nativeEngine, tfjsEngine } from '../../../training/tsmixer/index.ts';
import { freshState, parametersOf, stepOf } from '../../../training/tsmixer/state.ts';
import { loadTensorFlow } from '../../../training/tsmixer/tensorflow.ts';
import { indices, plainMember, randomSamples, smallShape } from './problem.ts';

const watch: EngineWatch = { signal: new AbortController().signal, onSteps() {} };
const constant = new Float32Array([1]);
const count = 50;

const baseTask: EngineTask = {
  shape: smallShape,
  members: [
    { ...plainMember, dropout: 0.2, teacherLambda: 0.5 },
    { ...plainMember, seed: 2, learningRate: 0.003, clipNorm: 0 },
  ],
  batch: 16,
  loss: { kind: 'huber', delta: 0.8 },
  threads: 2,
  samples: randomSamples(smallShape, count),
};

function open(engine: { open(task: EngineTask): EngineSession }, task: EngineTask): EngineSession {
  const session = engine.open(task);
  task.members.forEach(({ seed }, k) => {
    session.writeState(k, freshState(initialWeights(task.shape, seed).values));
  });
  return session;
}

const order = (toStep: number, active = [1, 1]) => ({
  train: indices(0, count),
  schedule: constant,
  toStep,
  active: Uint8Array.from(active),
});

/** State of each member after some steps of a task. */
async function statesAfter(
  engine: { open(task: EngineTask): EngineSession },
  task: EngineTask,
  ...stops: number[]
): Promise<Uint8Array[]> {
  const session = open(engine, task);
  for (const toStep of stops) {
    await session.train(order(toStep, [1, 1].slice(0, task.members.length)), watch);
  }
  const states = task.members.map((_, k) => session.readState(k));
  session.close();
  return states;
}

for (const make of [nativeEngine, tfjsEngine]) {
  describe(`the engine of ${make.name}`, () => {
    const engine = make();

    it('gives back the state that was written', () => {
      const session = open(engine, baseTask);
      const random = createRandom(9);
      const state = new Uint8Array(session.stateBytes);
      new BigInt64Array(state.buffer, 0, 1)[0] = 12n;
      const numbers = new Float32Array(state.buffer, 8);
      numbers.forEach((_, i) => {
        numbers[i] = random.uniform();
      });
      session.writeState(1, state);
      expect(session.readState(1)).to.deep.equal(state);
      expect(session.readState(0)).to.not.deep.equal(state);
      session.close();
    });

    it('trains a member beside another as it trains it alone', async () => {
      const together = await statesAfter(engine, baseTask, 6);
      for (const [k, member] of baseTask.members.entries()) {
        const alone = await statesAfter(engine, { ...baseTask, members: [member] }, 6);
        expect(alone[0]).to.deep.equal(together[k]);
      }
    });

    it('makes the same steps in one call and in several', async () => {
      const once = await statesAfter(engine, baseTask, 7);
      expect(await statesAfter(engine, baseTask, 2, 3, 7)).to.deep.equal(once);
      expect(once.map(stepOf)).to.deep.equal([7, 7]);
    });

    it('leaves a member alone that is not active', async () => {
      const session = open(engine, baseTask);
      const before = session.readState(1);
      const stats = await session.train(order(3, [1, 0]), watch);
      expect(session.readState(1)).to.deep.equal(before);
      expect(stats[0]!.step).to.equal(3);
      expect(stats[0]!.samples).to.equal(48);
      session.close();
    });

    it('predicts what the float64 reference computes, within the bound of float32', async () => {
      const session = open(engine, baseTask);
      const chosen = indices(3, 40);
      const predictions = await session.predict(chosen, watch);
      const { windows } = gatherBatch(smallShape, baseTask.samples, chosen);
      baseTask.members.forEach(({ seed }, k) => {
        const weights = initialWeights(smallShape, seed);
        const expected = tsmixerForward(weights, windows, chosen.length);
        const tolerances = tsmixerTolerances(weights, windows, chosen.length);
        expected.forEach((value, i) => {
          expect(predictions[k]![i]).to.be.closeTo(value, tolerances[i]!);
        });
      });
      session.close();
    });

    it('evaluates the weighted mean of the loss, without teacher and dropout', async () => {
      const session = open(engine, baseTask);
      const chosen = indices(0, 20);
      const [stats] = await session.evaluate(chosen, watch);
      const [predictions] = await session.predict(chosen, watch);
      const { targets, weights } = baseTask.samples;
      let sum = 0;
      for (const i of chosen) {
        const d = Math.abs(predictions![i]! - targets![i]!);
        sum += weights![i]! * (d <= 0.8 ? d * d * 0.5 : 0.8 * (d - 0.4));
      }
      // a sum of 20 float32 losses of a few roundings each
      expect(stats!.loss).to.be.closeTo(sum / 20, (sum / 20) * 30 * 2 ** -24);
      session.close();
    });

    it('says of which member, in which step, a loss stopped being a number', async () => {
      const wild = { ...plainMember, learningRate: 1e30, weightDecay: 0, clipNorm: 0 };
      const session = open(engine, { ...baseTask, members: [plainMember, wild] });
      const failed = await session.train(order(40), watch).then(
        () => null,
        (error) => error,
      );
      expect(failed).to.be.instanceOf(SluiceError);
      expect(failed.code).to.equal('non_finite');
      expect(failed.context.member).to.equal(1);
      expect(failed.context.step).to.equal(stepOf(session.readState(1)));
      expect(parametersOf(session.readState(1)).every(Number.isFinite)).to.equal(true);
      session.close();
    });

    it('stops on request after a whole step, and not before it was started', async () => {
      const session = open(engine, baseTask);
      const controller = new AbortController();
      const running = session.train(order(1e9), { signal: controller.signal, onSteps() {} });
      setTimeout(() => controller.abort(), 20);
      const failed = await running.catch((error) => error);
      expect(failed.code).to.equal('cancelled');
      const steps = [0, 1].map((k) => stepOf(session.readState(k)));
      expect(Math.max(...steps))
        .to.be.greaterThan(0)
        .and.lessThan(1e9);
      const [fresh] = await statesAfter(engine, baseTask, steps[0]!);
      expect(session.readState(0)).to.deep.equal(fresh);
      session.close();
      const unstarted = open(engine, baseTask);
      const refused = await unstarted
        .train(order(1e9), { signal: controller.signal, onSteps() {} })
        .catch((error) => error);
      expect(refused.code).to.equal('cancelled');
      expect(stepOf(unstarted.readState(0))).to.equal(0);
      unstarted.close();
    });
  });
}

describe('loadTensorFlow', () => {
  it('says what to install where there is none, and which engine needs nothing', () => {
    expect(() => loadTensorFlow(['@tensorflow/nowhere']))
      .to.throw(SluiceError, /npm install @tensorflow\/tfjs.*native/)
      .with.property('code', 'tool_missing');
  });
});

describe('the two engines', () => {
  it('go the same way for 20 steps, the order of samples included', async () => {
    const task = { ...baseTask, members: [{ ...plainMember, teacherLambda: 0.3 }] };
    const [native] = await statesAfter(nativeEngine(), task, 20);
    const [tfjs] = await statesAfter(tfjsEngine(), task, 20);
    const start = initialWeights(smallShape, plainMember.seed).values;
    const [a, b] = [parametersOf(native!), parametersOf(tfjs!)];
    // each of the gradients is right to about 1e-5 of its magnitude, and so is the way they lead
    const distance = Math.hypot(...a.map((value, p) => value - b[p]!));
    const way = Math.hypot(...a.map((value, p) => value - start[p]!));
    expect(way).to.be.greaterThan(0.5);
    expect(distance / way).to.be.lessThan(1e-4);
  });
});
