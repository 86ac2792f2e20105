import { expect } from 'chai';
import { createRandom, projectPath, readJson } from '../../../core/index.ts';
import { gelu } from '../../../models/score/erf.ts';
import {
  type TsmixerShape,
  tsmixerForward,
  tsmixerParameterCount,
  tsmixerParameters,
} from '../../../models/score/index.ts';
import { matrixProduct } from '../../../models/score/matrixProduct.ts';
import { randomShape, randomWeights, randomWindows } from './tsmixerSamples.ts';

interface Golden {
  readonly cases: readonly {
    readonly shape: TsmixerShape;
    readonly rows: number;
    readonly outputs: readonly number[];
  }[];
  readonly gelu: readonly (readonly [number, number])[];
}

const golden = readJson(projectPath('test', 'models', 'score', 'tsmixer_golden.json')) as Golden;

/** The numbers of tsmixer_golden.py. */
const numbers = (count: number, multiplier: number, modulus: number) =>
  Float32Array.from(
    { length: count },
    (_, i) => (((i * multiplier + 11) % modulus) - (modulus - 1) / 2 + 0.25) / 512,
  );

/** Reductions of a float64 evaluation are some 1e3 long at most, its conditions below 1e2: 1e5 units of 2^-53. */
const tolerance = 1e-11;

const oneNumber: TsmixerShape = {
  nTokens: 1,
  nChannels: 1,
  hidden: 1,
  blocks: 1,
  horizon: 1,
  head: 'flat',
  keptChannels: 1,
  activation: 'relu',
  revin: false,
};

/** Parameters by name; what is not named is 0. */
function named(shape: TsmixerShape, given: Readonly<Record<string, readonly number[]>>) {
  const values = new Float32Array(tsmixerParameterCount(shape));
  for (const { name, offset } of tsmixerParameters(shape)) values.set(given[name] ?? [], offset);
  return { shape, values };
}

describe('tsmixerForward', () => {
  it('computes by hand: one number, whose norm is always beta', () => {
    const weights = named(oneNumber, {
      'block0.norm_time.beta': [2],
      'block0.time.weight': [3],
      'block0.time.bias': [-1],
      'block0.norm_feature.beta': [-1],
      'block0.up.weight': [-4],
      'block0.up.bias': [1],
      'block0.down.weight': [0.5],
      'block0.down.bias': [0.25],
      'head.weight': [2],
      'head.bias': [-3],
    });
    // x = 7 + (3*2 - 1) = 12; h = max(0, 4 + 1) = 5; x = 12 + 2.5 + 0.25; y = 2 * 14.75 - 3
    expect([...tsmixerForward(weights, Float32Array.of(7), 1)]).to.deep.equal([26.5]);
  });

  it('mixes tokens within a channel, and channels within a token', () => {
    const shape = { ...oneNumber, nTokens: 2, nChannels: 2, keptChannels: 2, horizon: 4 };
    const head = { 'head.weight': [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] };
    const norm = { 'block0.norm_time.beta': [1, 2, 10, 20] };
    const time = named(shape, { ...head, ...norm, 'block0.time.weight': [0, 1, 0, 0] });
    const window = new Float32Array(4);
    expect([...tsmixerForward(time, window, 1)]).to.deep.equal([10, 20, 0, 0]);
    const feature = named(shape, {
      ...head,
      'block0.norm_feature.beta': [1, 2, 10, 20],
      'block0.up.weight': [0, 1],
      'block0.down.weight': [1, 0],
    });
    expect([...tsmixerForward(feature, window, 1)]).to.deep.equal([2, 0, 20, 0]);
  });

  it('gives back the mean and spread of a channel that RevIN took', () => {
    const shape: TsmixerShape = { ...oneNumber, nTokens: 2, head: 'temporal', revin: true };
    const weights = named(shape, {
      'head.weight': [0, 1],
      'revin.weight': [1.5],
      'revin.bias': [0.5],
    });
    expect(tsmixerForward(weights, Float32Array.of(100, 104), 1)[0]).to.be.closeTo(104, 1e-12);
  });

  for (const { shape, rows, outputs } of golden.cases) {
    const { nTokens, nChannels, hidden, blocks, head, activation, revin } = shape;
    const title = `${nTokens}x${nChannels}, ${hidden} hidden, ${blocks} blocks, ${head}, ${activation}${revin ? ', RevIN' : ''}`;
    it(`agrees with PyTorch in float64: ${title}`, () => {
      const weights = { shape, values: numbers(tsmixerParameterCount(shape), 7919, 509) };
      const windows = numbers(rows * nTokens * nChannels, 104729, 1021).map((x) => 4 * x);
      const ours = tsmixerForward(weights, windows, rows);
      expect(ours).to.have.length(outputs.length);
      const size = Math.max(...outputs.map(Math.abs));
      for (const [o, y] of outputs.entries()) expect(ours[o]).to.be.closeTo(y, tolerance * size);
    });
  }

  it('scores a window alone as it does among others, in float32 or float64', () => {
    const random = createRandom(1);
    for (let round = 0; round < 20; round += 1) {
      const shape = randomShape(random, 12);
      const weights = randomWeights(random, shape);
      const windows = randomWindows(random, shape, 3);
      const all = tsmixerForward(weights, windows, 3);
      const size = windows.length / 3;
      const alone = [0, 1, 2].flatMap((row) => [
        ...tsmixerForward(
          weights,
          Float64Array.from(windows.subarray(row * size, (row + 1) * size)),
          1,
        ),
      ]);
      expect(alone).to.deep.equal([...all]);
    }
  });

  it('gives finite numbers for a window of one value', () => {
    const random = createRandom(2);
    for (let round = 0; round < 20; round += 1) {
      const shape = randomShape(random, 12);
      const weights = randomWeights(random, shape);
      const windows = randomWindows(random, shape, 1).fill(3);
      expect(tsmixerForward(weights, windows, 1).every(Number.isFinite)).to.equal(true);
    }
  });

  it('refuses what is no network, and windows of other sizes or with numbers that are not finite', () => {
    const weights = named(oneNumber, {});
    const window = new Float32Array(1);
    const code = (run: () => unknown, wanted: string, message: RegExp) =>
      expect(run).to.throw(message).with.property('code', wanted);
    const shaped = (change: Partial<TsmixerShape>) => () =>
      tsmixerForward({ ...weights, shape: { ...oneNumber, ...change } }, window, 1);
    code(shaped({ nTokens: 0 }), 'out_of_range', /nTokens is 0/);
    code(shaped({ blocks: 1.5 }), 'out_of_range', /blocks is 1.5/);
    code(shaped({ blocks: 2000 }), 'out_of_range', /blocks is 2000, at most 1024/);
    code(shaped({ hidden: 2 ** 40 }), 'out_of_range', /parameters, at most/);
    code(shaped({ head: 'temporal', keptChannels: 2 }), 'out_of_range', /keptChannels 2/);
    code(shaped({ nChannels: 2 }), 'out_of_range', /flat head keeps all/);
    code(shaped({ revin: true }), 'out_of_range', /RevIN needs a temporal head/);
    code(shaped({ hidden: 2 }), 'length_mismatch', /has 15 parameters; found 12/);
    const revin: TsmixerShape = { ...oneNumber, head: 'temporal', revin: true };
    code(() => tsmixerForward(named(revin, {}), window, 1), 'out_of_range', /RevIN weight is 0/);
    const broken = named(oneNumber, { 'block0.up.weight': [Number.NaN] });
    code(() => tsmixerForward(broken, window, 1), 'non_finite', /0 of block0.up.weight is NaN/);
    code(() => tsmixerForward(weights, window, 2), 'length_mismatch', /2 numbers; found 1/);
    const endless = Float32Array.of(Number.POSITIVE_INFINITY);
    code(() => tsmixerForward(weights, endless, 1), 'non_finite', /Number 0 of the windows/);
  });
});

describe('the parts of the reference', () => {
  it('gelu has the digits of a 40-digit evaluation', () => {
    for (const [x, y] of golden.gelu) {
      expect(Math.abs(gelu(x) - y), `at ${x}`).to.be.at.most(1e-15 * Math.max(Math.abs(x), 1e-300));
    }
  });

  it('a matrix product has the bits of the three plain loops at any size', () => {
    const random = createRandom(3);
    for (let round = 0; round < 60; round += 1) {
      const [m, k, n] = [1 + random.integer(7), 1 + random.integer(9), 1 + random.integer(11)];
      const a = Float64Array.from({ length: m * k }, () => random.normal());
      const b = Float64Array.from({ length: k * n }, () => random.normal());
      const out = new Float64Array(m * n).fill(9);
      matrixProduct(a, b, out, [m, k, n]);
      const plain = Float64Array.from(out, (_, at) => {
        let sum = 0;
        for (let p = 0; p < k; p += 1) {
          sum += a[Math.floor(at / n) * k + p]! * b[p * n + (at % n)]!;
        }
        return sum;
      });
      expect(out).to.deep.equal(plain);
    }
  });
});
