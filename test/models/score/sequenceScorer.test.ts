import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import {
  normaliseSeries,
  sequenceScorer,
  type TsmixerNetwork,
  tsmixerForward,
} from '../../../models/score/index.ts';
import { randomNetwork, randomWindows } from './tsmixerSamples.ts';

const random = createRandom(5);
const network = randomNetwork(random, { nTokens: 6, nChannels: 3 });
const { weights } = network;

describe('sequenceScorer', () => {
  it('normalises by channel, cuts, and takes a missing value for the mean of training', () => {
    const channels = [
      { name: 'a', mean: 1, std: 2, clip: 3 },
      { name: 'b', mean: 0.1, std: 0.3, clip: 1 },
    ];
    const raw = Float32Array.of(5, 0.2, 100, -7, Number.NaN, Number.POSITIVE_INFINITY);
    const normalised = normaliseSeries(raw, channels);
    expect(normalised).to.deep.equal(
      Float32Array.of(2, (Math.fround(0.2) - 0.1) / 0.3, 3, -1, 0, 1),
    );
  });

  it('scores normalised windows with the float64 reference', () => {
    const windows = randomWindows(random, weights.shape, 4);
    windows[5] = Number.NaN;
    const scorer = sequenceScorer(network);
    expect([scorer.nTokens, scorer.nChannels]).to.deep.equal([6, 3]);
    expect(scorer.score(windows, 4)).to.deep.equal(
      tsmixerForward(weights, normaliseSeries(windows, network.channels), 4),
    );
    expect(() => scorer.score(windows, 3))
      .to.throw(/3 windows of 6 tokens x 3 channels/)
      .with.property('code', 'length_mismatch');
  });

  it('refuses channels that are not those of the network, and networks of several numbers', () => {
    const [first, ...others] = network.channels;
    const code = (bent: TsmixerNetwork) => {
      try {
        sequenceScorer(bent);
      } catch (error) {
        return (error as { code?: string }).code;
      }
      return 'nothing was thrown';
    };
    expect(code({ weights, channels: others })).to.equal('length_mismatch');
    for (const bent of [{ std: 0 }, { std: Number.NaN }, { clip: -1 }, { mean: Infinity }]) {
      const channels = [{ ...first!, ...bent }, ...others];
      expect(code({ weights, channels })).to.equal('out_of_range');
    }
    expect(code(randomNetwork(random, { horizon: 2 }))).to.equal('out_of_range');
  });
});
