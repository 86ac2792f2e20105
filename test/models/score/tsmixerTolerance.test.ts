import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import {
  type TsmixerShape,
  tsmixerErrorBound,
  tsmixerForward,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { randomShape, randomWeights, randomWindows } from './tsmixerSamples.ts';

const desk: TsmixerShape = {
  nTokens: 64,
  nChannels: 32,
  hidden: 64,
  blocks: 4,
  horizon: 1,
  head: 'flat',
  keptChannels: 32,
  activation: 'gelu',
  revin: false,
};

describe('the bound of a float32 implementation', () => {
  it('grows with the root of the longest way: here by hand', () => {
    // a norm 2*2048+8, tokens 64+8+2, channels 32+8+64+2; four blocks; head 2048+2
    const roundings = 4 * (2 * 4104 + 74 + 106) + 2050;
    expect(tsmixerErrorBound(desk)).to.be.closeTo((6 * Math.sqrt(roundings)) / 2 ** 24, 1e-8);
    expect(tsmixerErrorBound({ ...desk, blocks: 8 })).greaterThan(tsmixerErrorBound(desk));
  });

  it('is small beside the spread of the outputs, so that a wrong implementation is seen', () => {
    const random = createRandom(7);
    const weights = randomWeights(random, desk);
    const windows = randomWindows(random, desk, 32);
    const outputs = tsmixerForward(weights, windows, 32);
    const spread = Math.max(...outputs) - Math.min(...outputs);
    expect(Math.max(...tsmixerTolerances(weights, windows, 32))).lessThan(1e-3 * spread);
    // gelu by its tanh approximation, or one channel normalised a thousandth too small, would be found
    const off = {
      ...weights,
      values: weights.values.map((x, i) => (i === 4 * 2048 ? x + 0.1 : x)),
    };
    const moved = tsmixerForward(off, windows, 32);
    const tolerances = tsmixerTolerances(weights, windows, 32);
    const seen = moved.some((y, i) => Math.abs(y - outputs[i]!) > tolerances[i]!);
    expect(seen).to.equal(true);
  });

  it('allows what rounding the inputs alone to float32 does', () => {
    const random = createRandom(8);
    for (let round = 0; round < 50; round += 1) {
      const shape = randomShape(random);
      const weights = randomWeights(random, shape);
      const exact = Float64Array.from(randomWindows(random, shape, 2), (x) => x * (1 + 1e-8));
      const rounded = tsmixerForward(weights, Float32Array.from(exact), 2);
      const tolerances = tsmixerTolerances(weights, exact, 2);
      const outputs = tsmixerForward(weights, exact, 2);
      for (const [o, y] of outputs.entries()) {
        expect(Math.abs(y - rounded[o]!), JSON.stringify(shape)).at.most(tolerances[o]!);
      }
    }
  });
});
