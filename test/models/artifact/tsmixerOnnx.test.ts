import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom, SluiceError } from '../../../core/index.ts';
import { decodeTsmixerOnnx, encodeTsmixerOnnx } from '../../../models/artifact/index.ts';
import {
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerForward,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { randomShape, randomWeights, randomWindows } from '../score/tsmixerSamples.ts';
import { ortNetworkScores } from './ortScores.ts';

const desk: TsmixerShape = {
  nTokens: 64,
  nChannels: 16,
  hidden: 32,
  blocks: 2,
  horizon: 1,
  head: 'flat',
  keptChannels: 16,
  activation: 'gelu',
  revin: false,
};

/** Largest share of the tolerance that a file's scores in ONNX Runtime use up. */
async function usedTolerance(
  weights: TsmixerWeights,
  windows: Float32Array,
  { bytes = encodeTsmixerOnnx(weights), threads = 1, batch = 7 } = {},
): Promise<number> {
  const { shape } = weights;
  const rows = windows.length / shape.nTokens / shape.nChannels;
  const found = await ortNetworkScores(bytes, shape, windows, rows, { threads, batch });
  const expected = tsmixerForward(weights, windows, rows);
  const tolerances = tsmixerTolerances(weights, windows, rows);
  expect(found).to.have.length(expected.length);
  return Math.max(...expected.map((y, i) => Math.abs(y - found[i]!) / tolerances[i]!));
}

describe('networks as ONNX', function () {
  this.timeout(60_000);

  it('give the reference scores in ONNX Runtime, any shape and head, within the derived bound', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = createRandom(seed);
        const shape = randomShape(random);
        const weights = randomWeights(random, shape);
        const windows = randomWindows(random, shape, 1 + random.integer(5));
        expect(await usedTolerance(weights, windows), JSON.stringify(shape)).at.most(1);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  for (const activation of ['relu', 'gelu'] as const) {
    it(`do so at the size of a desk, ${activation}, in any batch and with any threads`, async () => {
      const random = createRandom(3);
      const weights = randomWeights(random, { ...desk, activation });
      const windows = randomWindows(random, desk, 32);
      for (const ways of [{ batch: 1 }, { batch: 32 }, { batch: 5, threads: 2 }]) {
        expect(await usedTolerance(weights, windows, ways)).at.most(1);
      }
    });
  }

  it('are told from networks that differ a little: one weight, or the other activation', async () => {
    const random = createRandom(4);
    const weights = randomWeights(random, desk);
    const windows = randomWindows(random, desk, 32);
    const heavier = {
      shape: desk,
      values: weights.values.map((w, i) => (i === 2100 ? w + 0.01 : w)),
    };
    const relu = { ...weights, shape: { ...desk, activation: 'relu' } as const };
    for (const other of [heavier, relu]) {
      const bytes = encodeTsmixerOnnx(other);
      expect(await usedTolerance(weights, windows, { bytes })).greaterThan(1);
    }
  });

  it('score windows of one value, of large and of nearly equal values within the bound', async () => {
    for (const activation of ['relu', 'gelu'] as const) {
      const random = createRandom(5);
      const weights = randomWeights(random, { ...desk, activation });
      const windows = randomWindows(random, desk, 5);
      const change = (row: number, to: (x: number) => number) => {
        const window = windows.subarray(row * 1024, (row + 1) * 1024);
        window.set(window.map(to));
      };
      change(0, () => 0);
      change(1, () => 2.5);
      change(2, (x) => 100 + x);
      change(3, (x) => 1000 * x);
      change(4, (x) => 4 + 0.001 * x);
      expect(await usedTolerance(weights, windows)).at.most(1);
    }
    for (let seed = 0; seed < 40; seed += 1) {
      const random = createRandom(seed);
      const shape = randomShape(random);
      const weights = randomWeights(random, shape);
      const windows = randomWindows(random, shape, 3).map((x) => 4 + 0.001 * x);
      expect(await usedTolerance(weights, windows), JSON.stringify(shape)).at.most(1);
    }
  });

  it('come back from their bytes exactly and give those bytes again', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = createRandom(seed);
        const weights = randomWeights(random, randomShape(random, 9));
        const bytes = encodeTsmixerOnnx(weights);
        const again = decodeTsmixerOnnx(bytes);
        expect(again).to.deep.equal(weights);
        expect(encodeTsmixerOnnx(again).equals(bytes)).to.equal(true);
      }),
      { seed: 12, numRuns: 200 },
    );
  });

  it('are not written when they are no networks', () => {
    const weights = randomWeights(createRandom(6), desk);
    const broken = {
      shape: desk,
      values: weights.values.map((w, i) => (i === 9 ? Number.NaN : w)),
    };
    const short = { shape: desk, values: weights.values.subarray(1) };
    const revin = { ...weights, shape: { ...desk, revin: true } };
    for (const [text, wrong] of [
      ['9 of block0.norm_time.gamma is NaN', broken],
      ['parameters; found', short],
      ['RevIN needs', revin],
    ] as const) {
      expect(() => encodeTsmixerOnnx(wrong)).to.throw(SluiceError, text);
    }
  });
});
