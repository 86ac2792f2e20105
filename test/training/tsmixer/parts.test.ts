// The parts of a training that can be worked out by hand.

import { expect } from 'chai';
import fc from 'fast-check';
import { tsmixerForward, tsmixerParameters } from '../../../models/score/index.ts';
import {
  initialWeights,
  tsmixerParamsSchema,
  tsmixerTraining,
} from '../../../training/tsmixer/index.ts';
import { afterEpoch, newMemberRun } from '../../../training/tsmixer/memberRun.ts';
import { sampleOrder } from '../../../training/tsmixer/sampleOrder.ts';
import { learningRateFactors } from '../../../training/tsmixer/schedule.ts';
import { foldScale, scaleSamples, targetScale } from '../../../training/tsmixer/targetScale.ts';
import { indices, randomSamples, smallShape } from './problem.ts';

describe('the learning rate', () => {
  it('rises from 0 and falls along half a cosine', () => {
    const factors = learningRateFactors({ schedule: 'cosine', warmupFrac: 0.2 }, 10);
    // 2 steps of warm-up, then (1 + cos(pi k / 8)) / 2
    const falling = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => (1 + Math.cos((Math.PI * k) / 8)) / 2);
    expect(falling[4]).to.be.closeTo(0.5, 1e-15);
    expect([...factors]).to.deep.equal([0.5, 1, ...falling].map(Math.fround));
  });

  it('stays where it rose to if it is constant, and need not rise', () => {
    expect([...learningRateFactors({ schedule: 'constant', warmupFrac: 0.5 }, 4)]).to.deep.equal([
      0.5, 1, 1, 1,
    ]);
    expect([...learningRateFactors({ schedule: 'cosine', warmupFrac: 0 }, 2)]).to.deep.equal([
      1, 0.5,
    ]);
  });
});

describe('tsmixerParamsSchema', () => {
  it('gives every parameter a default, and a training follows from them', () => {
    const params = tsmixerParamsSchema.parse({ seed: 4, loss: 'huber', huber_delta: 2 });
    const training = tsmixerTraining(params, 7, [{}, { seed: 9, teacherLambda: 0.5 }]);
    expect(training.shape).to.include({ nTokens: 64, nChannels: 7, horizon: 1, head: 'flat' });
    expect(training.loss).to.deep.equal({ kind: 'huber', delta: 2 });
    expect(training.members.map(({ seed, teacherLambda }) => [seed, teacherLambda])).to.deep.equal([
      [4, 0],
      [9, 0.5],
    ]);
  });

  it('knows no other keys', () => {
    expect(tsmixerParamsSchema.safeParse({ layers: 3 }).success).to.equal(false);
  });
});

describe('initialWeights', () => {
  const shape = { ...smallShape, head: 'temporal', revin: true, hidden: 200 } as const;

  it('draws matrices uniformly inside Glorot’s limit, and nothing else', () => {
    const { values } = initialWeights(shape, 3);
    for (const { name, dims, offset, size } of tsmixerParameters(shape)) {
      const part = values.subarray(offset, offset + size);
      if (!name.endsWith('.weight') || name === 'revin.weight') {
        const constant = /gamma$|^revin.weight$/.test(name) ? 1 : 0;
        expect(new Set(part), name).to.deep.equal(new Set([constant]));
        continue;
      }
      const limit = Math.fround(Math.sqrt(6 / (dims[0]! + dims[1]!)));
      expect(Math.max(...part.map(Math.abs)), name).to.be.at.most(limit);
      // the variance of [-a, a] is a^2 / 3; that of its estimate (4/45) a^4 / n
      const variance = part.reduce((sum, v) => sum + v * v, 0) / size;
      const error = Math.sqrt(4 / 45 / size) * limit ** 2;
      expect(Math.abs(variance - limit ** 2 / 3), name).to.be.lessThan(5 * error);
    }
  });

  it('is decided by the seed', () => {
    expect(initialWeights(shape, 3)).to.deep.equal(initialWeights(shape, 3));
    expect(initialWeights(shape, 3)).to.not.deep.equal(initialWeights(shape, 4));
  });
});

describe('the scale of targets', () => {
  const shape = { ...smallShape, horizon: 2 };
  const base = randomSamples(shape, 40);
  const train = indices(0, 4);

  it('is that of the training samples, weighted', () => {
    const samples = {
      ...base,
      targets: base.targets!.map((_, i) => [1, 5, 3, 5, 1, 5, 3, 5][i] ?? 100),
      weights: base.weights!.map((_, i) => [1, 3, 1, 3][i] ?? 1),
    };
    // output 0: 1 with weight 2, 3 with weight 6; output 1 never varies
    const { mean, std } = targetScale(shape, samples, train)!;
    expect([...mean]).to.deep.equal([2.5, 5]);
    expect([...std]).to.deep.equal([Math.sqrt(0.75), 1]);
  });

  it('is folded into the head: the network gives label units', () => {
    const scale = { mean: Float64Array.of(3, -1), std: Float64Array.of(0.5, 8) };
    const weights = initialWeights(shape, 1);
    const windows = base.series.subarray(0, 5 * shape.nTokens * shape.nChannels);
    const scaled = tsmixerForward(weights, windows, 5);
    const folded = tsmixerForward(foldScale(weights, scale), windows, 5);
    folded.forEach((value, i) => {
      const expected = scaled[i]! * scale.std[i % 2]! + scale.mean[i % 2]!;
      expect(value).to.be.closeTo(expected, 1e-5); // the products are rounded to float32
    });
  });

  it('changes targets and teacher alike, and leaves gaps of the teacher', () => {
    const scale = { mean: Float64Array.of(1, 2), std: Float64Array.of(2, 4) };
    const samples = {
      ...base,
      targets: Float32Array.of(3, 10),
      teacher: Float32Array.of(Number.NaN, 6),
    };
    const { targets, teacher, series } = scaleSamples(samples, scale);
    expect([...targets!]).to.deep.equal([1, 2]);
    expect([...teacher!]).to.deep.equal([Number.NaN, 1]);
    expect(series).to.equal(samples.series);
  });

  it('is none where targets are channels of the series', () => {
    expect(targetScale(shape, { ...base, targets: null }, train)).to.equal(null);
    expect(targetScale({ ...shape, head: 'temporal' }, base, train)).to.equal(null);
  });
});

describe('a member’s run', () => {
  const runOver = (losses: readonly (number | null)[], patience: number) => {
    let run = newMemberRun;
    for (const stop of losses) {
      const parameters = Float32Array.of(run.history.length + 1);
      run = afterEpoch(run, { train: 1, stop }, patience, () => parameters);
    }
    return { bestEpoch: run.bestEpoch, best: run.best![0], active: run.active };
  };

  it('keeps the epoch of the smallest stopping loss, the earliest of equals', () => {
    expect(runOver([3, 2, 2, 4], 0)).to.deep.equal({ bestEpoch: 2, best: 2, active: true });
  });

  it('ends when patience runs out, and not before', () => {
    expect(runOver([3, 2, 5], 2).active).to.equal(true);
    expect(runOver([3, 2, 5, 4], 2)).to.deep.equal({ bestEpoch: 2, best: 2, active: false });
    expect(runOver([3, 2, 5, 1], 2)).to.deep.equal({ bestEpoch: 4, best: 4, active: true });
  });

  it('keeps the last epoch where nothing decides', () => {
    expect(runOver([null, null, null], 1)).to.deep.equal({ bestEpoch: 3, best: 3, active: true });
  });
});

describe('the order of samples', () => {
  it('visits every sample of an epoch once', () => {
    const sizes = fc.integer({ min: 1, max: 700 });
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(1000), (n, seed, epoch) => {
        const at = sampleOrder(seed, epoch, n);
        const visited = Array.from({ length: n }, (_, i) => at(i));
        expect([...visited].sort((a, b) => a - b)).to.deep.equal([...indices(0, n)]);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('is another one in each epoch', () => {
    const first = [0, 1].map((epoch) => [...indices(0, 100)].map(sampleOrder(7, epoch, 100)));
    expect(first[0]).to.not.deep.equal(first[1]);
  });
});
