// Chance in the native engine: its generator against published vectors, the order of samples, and dropout, whose masks
// are read off gradients of networks that let them through.

import { expect } from 'chai';
import {
  type TsmixerShape,
  tsmixerParameterCount,
  tsmixerParameters,
} from '../../../models/score/index.ts';
import { findSluice, type NativeTsmixer } from '../../../training/native/index.ts';
import {
  allSamples,
  caseSamples,
  cpu,
  type Device,
  type EngineCase,
  evaluateOn,
  gpus,
  member,
  openCase,
  predictOn,
  stateWith,
  trainTo,
  withEmulatedGpu,
} from './engineCase.ts';

describe('Philox4x32-10 of the native engine', () => {
  // Random123 1.14, tests/kat_vectors: counter, key, block
  const published = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const;

  it('gives the published blocks', () => {
    for (const [counter, key, block] of published) {
      const found = findSluice().philox(Uint32Array.from(counter), Uint32Array.from(key));
      expect([...found]).to.deep.equal([...block]);
    }
  });

  it('gives each of many counters the block that it has alone', () => {
    const counters = Uint32Array.from({ length: 4 * 37 }, (_, i) => Math.imul(i, 0x9e3779b1));
    const key = Uint32Array.of(7, 8);
    const together = findSluice().philox(counters, key);
    for (let i = 0; i < 37; i += 1) {
      const alone = findSluice().philox(counters.slice(4 * i, 4 * i + 4), key);
      expect([...together.subarray(4 * i, 4 * i + 4)]).to.deep.equal([...alone]);
    }
  });
});

/** A flat head over windows of zeros: what the head reads is what dropout let through. */
const shape: TsmixerShape = {
  nTokens: 48,
  nChannels: 24,
  hidden: 24,
  blocks: 1,
  horizon: 1,
  head: 'flat',
  keptChannels: 24,
  activation: 'relu',
  revin: false,
};
const elements = shape.nTokens * shape.nChannels;

/** Where dropout stands: after the time mixing, after the hidden layer, after the feature mixing. */
type Place = 'time' | 'hidden' | 'down';

/** Parameters that put the number 1 before one dropout and lead what comes out of it to the head. */
function through(place: Place): Float32Array {
  const values = new Float32Array(tsmixerParameterCount(shape));
  const parameters = tsmixerParameters(shape);
  const part = (name: string) => {
    const { offset, size } = parameters.find((parameter) => parameter.name === name)!;
    return values.subarray(offset, offset + size);
  };
  if (place === 'time') part('block0.time.bias').fill(1);
  if (place === 'down') part('block0.down.bias').fill(1);
  if (place === 'hidden') {
    part('block0.up.bias').fill(1);
    for (let c = 0; c < shape.nChannels; c += 1)
      part('block0.down.weight')[c * shape.hidden + c] = 1;
  }
  return values;
}

/** A problem of `batch` equal samples of which only those with weight 1 are seen. */
function zeros(batch: number, seen: readonly number[]): EngineCase {
  const weights = new Float32Array(batch);
  for (const i of seen) weights[i] = 1;
  return {
    ...caseSamples(shape, shape.nTokens, 1, false),
    shape,
    batch,
    loss: 'mse',
    huberDelta: 1,
    teacherLambda: 0,
    series: new Float32Array(elements),
    ends: new Int32Array(batch).fill(shape.nTokens - 1),
    targets: new Float32Array(batch).fill(1),
    teacher: null,
    weights,
  };
}

/** What dropout made of ones at a step [elements]: the head's gradients are its bias's times what the head read. */
function dropped(engine: NativeTsmixer, batch: number, step: number, of = 0): Float64Array {
  const gradient = new Float32Array(tsmixerParameterCount(shape));
  engine.gradient(of, allSamples(batch), step, gradient);
  const bias = gradient.at(-1)!;
  return Float64Array.from(gradient.subarray(-1 - elements, -1), (g) => g / bias);
}

function openThrough(
  place: Place,
  dropout: number,
  {
    batch = 1,
    seen = [0],
    seeds = [11],
    device = cpu,
  }: { batch?: number; seen?: number[]; seeds?: number[]; device?: Device } = {},
): NativeTsmixer {
  const engine = openCase(
    zeros(batch, seen),
    seeds.map((seed) => member({ seed, dropout })),
    {},
    device,
  );
  for (const k of seeds.keys()) engine.writeState(k, stateWith(through(place)));
  return engine;
}

const isKept = (values: Float64Array): number[] => [...values].map((v) => (v > 0.5 ? 1 : 0));

/** Shares of equal elements of two masks, in standard deviations from what independence gives. */
function dependence(a: readonly number[], b: readonly number[], keep: number): number {
  const both = a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  const p = keep * keep;
  return Math.abs(both - a.length * p) / Math.sqrt(a.length * p * (1 - p));
}

/** Five standard deviations: the fixed seeds below were not chosen, and one in two million would fail. */
const far = 5;

describe('dropout in the native engine', () => {
  const rate = 0.3;
  const keep = 1 - rate;

  for (const place of ['time', 'down'] as const) {
    it(`drops its share after ${place} mixing and keeps the expected value`, () => {
      const engine = openThrough(place, rate);
      const steps = 40;
      const seen = new Set<number>();
      let kept = 0;
      for (let step = 0; step < steps; step += 1) {
        for (const v of dropped(engine, 1, step)) {
          seen.add(Math.fround(v));
          if (v > 0.5) kept += 1;
        }
      }
      engine.free();
      for (const v of seen) {
        // the rate has a resolution of 1 / 65536
        if (v !== 0) expect(v).to.be.closeTo(1 / keep, 1e-4);
      }
      const n = steps * elements;
      expect(Math.abs(kept - n * keep) / Math.sqrt(n * keep * rate)).to.be.lessThan(far);
    });
  }

  it('drops after the hidden layer and again after the feature mixing, independently', () => {
    const engine = openThrough('hidden', rate);
    const steps = 40;
    const seen = new Set<number>();
    let kept = 0;
    for (let step = 0; step < steps; step += 1) {
      for (const v of dropped(engine, 1, step)) {
        seen.add(Math.fround(v));
        if (v > 0.5) kept += 1;
      }
    }
    engine.free();
    for (const v of seen) if (v !== 0) expect(v).to.be.closeTo(1 / keep ** 2, 2e-4);
    const [n, p] = [steps * elements, keep ** 2];
    expect(Math.abs(kept - n * p) / Math.sqrt(n * p * (1 - p))).to.be.lessThan(far);
  });

  it('draws the same mask for the same step, whichever was asked before', () => {
    const engine = openThrough('time', rate);
    const first = [0, 1, 2].map((step) => dropped(engine, 1, step));
    const again = [2, 0, 1].map((step) => dropped(engine, 1, step));
    engine.free();
    expect([again[1], again[2], again[0]]).to.deep.equal(first);
  });

  it('draws independent masks for steps, samples, layers and seeds', () => {
    const masks: number[][] = [];
    const add = (engine: NativeTsmixer, batch: number, step: number, of = 0) => {
      masks.push(isKept(dropped(engine, batch, step, of)));
    };
    for (const place of ['time', 'down'] as const) {
      const engine = openThrough(place, rate, { seeds: [11, 11 + 2 ** 16, 11 + 2 ** 32] });
      for (const step of [0, 1, 2, 65_536]) add(engine, 1, step);
      for (const k of [1, 2]) add(engine, 1, 0, k);
      engine.free();
    }
    const batch = 35; // more than two lines of sixteen lanes
    for (const seen of [1, 2, 15, 16, 17, 34]) {
      const engine = openThrough('time', rate, { batch, seen: [seen] });
      add(engine, batch, 0);
      engine.free();
    }
    masks.forEach((a, i) => {
      masks.slice(i + 1).forEach((b, j) => {
        expect(dependence(a, b, keep), `masks ${i} and ${i + 1 + j}`).to.be.lessThan(far);
      });
    });
  });

  it('has no pattern along tokens or channels', () => {
    const engine = openThrough('time', rate);
    const counts = new Float64Array(elements);
    const steps = 200;
    for (let step = 0; step < steps; step += 1) {
      isKept(dropped(engine, 1, step)).forEach((v, i) => {
        counts[i]! += v;
      });
    }
    engine.free();
    const chi2 = counts.reduce(
      (sum, v) => sum + (v - steps * keep) ** 2 / (steps * keep * rate),
      0,
    );
    expect(Math.abs(chi2 - elements) / Math.sqrt(2 * elements)).to.be.lessThan(far);
  });

  it('reads and predicts without', async () => {
    const engine = openThrough('time', rate);
    const values = through('time');
    values.fill(1 / elements, values.length - 1 - elements, values.length - 1);
    engine.writeState(0, stateWith(values));
    const [y] = await predictOn(engine, allSamples(1), 1);
    const [stats] = await evaluateOn(engine, allSamples(1));
    engine.free();
    expect(y).to.be.closeTo(1, 1e-5);
    expect(stats!.loss).to.be.lessThan(1e-9);
  });

  it('drops nothing at rate 0, and changes what is trained at any other', async () => {
    const parametersAfter = async (dropout: number) => {
      const engine = openThrough('time', dropout);
      const all = dropped(engine, 1, 0);
      await trainTo(engine, allSamples(1), 3);
      const state = engine.readState(0);
      engine.free();
      return { all, state };
    };
    const [none, some] = [await parametersAfter(0), await parametersAfter(0.5)];
    expect(none.all.every((v) => Math.abs(v - 1) < 1e-6)).to.equal(true);
    expect(some.state).to.not.deep.equal(none.state);
  });
});

for (const device of gpus) {
  describe(`dropout on ${device.name}`, () => {
    withEmulatedGpu();

    /** Compares what dropout lets through on both devices: what exactly, and how much within what rounding explains. */
    const expectSameMasks = (
      place: Place,
      dropout: number,
      of: { batch?: number; seen?: number[]; seeds?: number[] },
      steps: readonly number[],
    ) => {
      const [here, there] = [cpu, device].map((on) =>
        openThrough(place, dropout, { ...of, device: on }),
      ) as [NativeTsmixer, NativeTsmixer];
      for (const k of (of.seeds ?? [11]).keys()) {
        for (const step of steps) {
          const [expected, found] = [here, there].map((engine) =>
            dropped(engine, of.batch ?? 1, step, k),
          ) as [Float64Array, Float64Array];
          const kept = isKept(expected);
          expect(isKept(found), `member ${k}, step ${step}`).to.deep.equal(kept);
          expect(kept).to.include(0).and.to.include(1);
          found.forEach((v, i) => {
            expect(v).to.be.closeTo(expected[i]!, 1e-3 * expected[i]!);
          });
        }
      }
      here.free();
      there.free();
    };

    for (const place of ['time', 'hidden', 'down'] as const) {
      it(`drops the same numbers as on the CPU after ${place} mixing, at any step and for any seed`, () => {
        expectSameMasks(place, 0.3, { seeds: [11, 2 ** 32 + 11] }, [0, 1, 65_536]);
      });
    }

    it('drops the same numbers of any sample of a batch', () => {
      for (const seen of [1, 16, 34])
        expectSameMasks('time', 0.5, { batch: 35, seen: [seen] }, [3]);
    });
  });
}

describe('the order of samples in the native engine', () => {
  /** A network of zeros whose sample i has loss 4^i: the sum over an epoch says which samples were in it. */
  function powers(samples: number, batch: number, seed: number): NativeTsmixer {
    const problem: EngineCase = {
      ...zeros(samples, [...allSamples(samples)]),
      batch,
      targets: Float32Array.from({ length: samples }, (_, i) => 2 ** i),
    };
    const engine = openCase(problem, [member({ seed, learningRate: 1e-30 })]);
    engine.writeState(0, stateWith(new Float32Array(tsmixerParameterCount(shape))));
    return engine;
  }

  /** The sets of samples of the steps of an epoch, as sums of 4^i. */
  async function stepsOf(samples: number, batch: number, seed: number, epochs = 1) {
    const engine = powers(samples, batch, seed);
    const found: { sum: number; samples: number }[] = [];
    for (let step = 1; step <= epochs * Math.ceil(samples / batch); step += 1) {
      const [stats] = await trainTo(engine, allSamples(samples), step);
      found.push({ sum: stats!.loss * stats!.samples, samples: stats!.samples });
    }
    engine.free();
    return found;
  }

  it('looks at every sample once an epoch, the last step at what is left', async () => {
    const steps = await stepsOf(11, 4, 5);
    expect(steps.map((step) => step.samples)).to.deep.equal([4, 4, 3]);
    const sum = steps.reduce((total, step) => total + step.sum, 0);
    expect(sum).to.be.closeTo((4 ** 11 - 1) / 3, 0.5); // the smallest sample has 1, and shares are float32
  });

  it('orders every epoch and every seed anew', async () => {
    const first = await stepsOf(11, 1, 5, 2);
    const other = await stepsOf(11, 1, 6);
    const order = (steps: readonly { sum: number }[]) => steps.map(({ sum }) => Math.log2(sum) / 2);
    expect(order(first.slice(0, 11)).sort((a, b) => a - b)).to.deep.equal([...allSamples(11)]);
    expect(order(first.slice(11)).sort((a, b) => a - b)).to.deep.equal([...allSamples(11)]);
    expect(order(first.slice(0, 11))).to.not.deep.equal(order(first.slice(11)));
    expect(order(first.slice(0, 11))).to.not.deep.equal(order(other));
  });
});
