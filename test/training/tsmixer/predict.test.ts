import { expect } from 'chai';
import type { SluiceError } from '../../../core/index.ts';
import {
  type TsmixerShape,
  tsmixerForward,
  tsmixerOutputs,
  tsmixerTolerances,
} from '../../../models/score/index.ts';
import { gatherBatch } from '../../../training/tsmixer/batch.ts';
import {
  initialWeights,
  nativeEngine,
  predictTsmixer,
  tfjsEngine,
} from '../../../training/tsmixer/index.ts';
import { indices, randomSamples, smallShape } from './problem.ts';

const options = { threads: 2, signal: new AbortController().signal };
const temporal: TsmixerShape = {
  ...smallShape,
  head: 'temporal',
  horizon: 4,
  keptChannels: 2,
  revin: true,
  activation: 'gelu',
};

describe('predictTsmixer', () => {
  for (const make of [nativeEngine, tfjsEngine]) {
    for (const shape of [smallShape, temporal]) {
      it(`of ${make.name} agrees with the float64 reference: ${shape.head} head`, async () => {
        const samples = randomSamples(shape, 60);
        const networks = [3, 4].map((seed) => initialWeights(shape, seed));
        const rows = Int32Array.of(59, 0, 7, 7, 31);
        const found = await predictTsmixer(make(), networks, samples, rows, options);
        const { windows } = gatherBatch(shape, samples, rows);
        networks.forEach((network, k) => {
          const expected = tsmixerForward(network, windows, rows.length);
          const tolerances = tsmixerTolerances(network, windows, rows.length);
          expect(found[k]).to.have.length(rows.length * tsmixerOutputs(shape));
          expected.forEach((value, i) => {
            expect(found[k]![i]).to.be.closeTo(value, tolerances[i]!);
          });
        });
      });
    }
  }

  it('reads the newest window, which nothing follows', async () => {
    const samples = randomSamples(temporal, 60);
    const rows = samples.series.length / temporal.nChannels;
    const windowEnds = Int32Array.of(rows - 1);
    const network = initialWeights(temporal, 1);
    const asked = { series: samples.series, windowEnds };
    const [found] = await predictTsmixer(nativeEngine(), [network], asked, indices(0, 1), options);
    expect(found).to.have.length(8);
  });

  it('of nothing is nothing', async () => {
    const samples = randomSamples(smallShape, 10);
    const network = initialWeights(smallShape, 1);
    const engine = nativeEngine();
    expect(await predictTsmixer(engine, [], samples, indices(0, 3), options)).to.deep.equal([]);
    expect(
      await predictTsmixer(engine, [network], samples, new Int32Array(0), options),
    ).to.deep.equal([new Float32Array(0)]);
  });

  it('refuses networks of several shapes, rows that are not there, numbers that are none', async () => {
    const samples = randomSamples(smallShape, 10);
    const network = initialWeights(smallShape, 1);
    const broken = { ...network, values: network.values.map(() => Number.NaN) };
    const codeOf = (networks: (typeof network)[], rows: Int32Array, of = options) =>
      predictTsmixer(nativeEngine(), networks, samples, rows, of).then(
        () => null,
        (error) => (error as SluiceError).code,
      );
    const other = initialWeights({ ...smallShape, hidden: 2 }, 1);
    expect(await codeOf([network, other], indices(0, 3))).to.equal('length_mismatch');
    expect(await codeOf([network], Int32Array.of(10))).to.equal('out_of_range');
    expect(await codeOf([broken], indices(0, 3))).to.equal('non_finite');
    const stopped = { ...options, signal: AbortSignal.abort() };
    expect(await codeOf([network], indices(0, 3), stopped)).to.equal('cancelled');
  });
});
