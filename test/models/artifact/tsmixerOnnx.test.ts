import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import { encodeTsmixerOnnx } from '../../../models/artifact/index.ts';
import {
  type TsmixerShape,
  type TsmixerWeights,
  tsmixerForward,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { randomShape, randomWeights, randomWindows } from '../score/tsmixerSamples.ts';
import { ortNetworkScores } from './ortScores.ts';

/** Largest share of the tolerance that ONNX Runtime uses up. */
async function usedTolerance(
  weights: TsmixerWeights,
  windows: Float32Array,
  rows: number,
): Promise<number> {
  const found = await ortNetworkScores(encodeTsmixerOnnx(weights), weights.shape, windows, rows);
  const expected = tsmixerForward(weights, windows, rows);
  const tolerances = tsmixerTolerances(weights, windows, rows);
  expect(found).to.have.length(expected.length);
  return Math.max(...expected.map((y, i) => Math.abs(y - found[i]!) / tolerances[i]!));
}

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

describe('networks as ONNX', function () {
  this.timeout(60_000);

  it('give the reference scores in ONNX Runtime, any shape and head, within the derived bound', async () => {
    let worst = 0;
    for (let seed = 0; seed < 150; seed += 1) {
      const random = createRandom(seed);
      const shape = randomShape(random);
      const rows = 1 + random.integer(5);
      const weights = randomWeights(random, shape);
      const used = await usedTolerance(weights, randomWindows(random, shape, rows), rows);
      expect(used, `seed ${seed}, ${JSON.stringify(shape)}`).at.most(1);
      worst = Math.max(worst, used);
    }
    expect(worst, 'a float32 evaluation is not float64').greaterThan(0);
  });
  for (const activation of ['relu', 'gelu'] as const) {
    it(`do so at the size of a desk, ${activation}, and a wrong activation or weight is seen`, async () => {
      const random = createRandom(3);
      const shape = { ...desk, activation };
      const weights = randomWeights(random, shape);
      const windows = randomWindows(random, shape, 32);
      const used = await usedTolerance(weights, windows, 32);
      expect(used).at.most(1);
    });
  }
});
