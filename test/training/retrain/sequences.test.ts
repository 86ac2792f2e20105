// Normalisation of the channels that networks read: by the training rows, and by nothing else.

import { expect } from 'chai';
import type { SequenceView } from '../../../data/dataset/index.ts';
import { createSequenceView } from '../../../data/dataset/index.ts';
import { fitChannels, rowsWithWindow } from '../../../training/retrain/sequences.ts';
import { smallSamples } from './smallMarket.ts';

/** Two channels over five bars; rows end at bars 1 to 4. */
function viewOf(series: readonly number[]): SequenceView {
  return {
    series: Float32Array.from(series),
    nTokens: 2,
    nChannels: 2,
    channels: ['a', 'b'],
    windowEnds: Int32Array.of(1, 2, 3, 4),
    windowsValid: Uint8Array.of(1, 1, 0, 1),
    lookbackBars: 2,
  };
}

describe('retrain: normalisation of channels', () => {
  const series = [9, 9, 1, 7, 3, 7, 100, -50, 8, 7];

  it('is the mean and the deviation over the newest bars of the rows given', () => {
    const [a, b] = fitChannels(viewOf(series), Int32Array.of(0, 1), 5);
    expect(a).to.deep.equal({ name: 'a', mean: 2, std: 1, clip: 5 });
    expect(b, 'a constant channel').to.deep.equal({ name: 'b', mean: 7, std: 1, clip: 5 });
  });

  it('sees nothing of rows that do not train', () => {
    const rows = Int32Array.of(0, 1);
    const changed = series.map((x, i) => (i >= 6 ? 1e6 - x : x));
    expect(fitChannels(viewOf(changed), rows, 5)).to.deep.equal(
      fitChannels(viewOf(series), rows, 5),
    );
    expect(fitChannels(viewOf(changed), Int32Array.of(0, 3), 5)).to.not.deep.equal(
      fitChannels(viewOf(series), Int32Array.of(0, 3), 5),
    );
  });

  it('leaves rows without a whole window out', () => {
    expect([...rowsWithWindow(viewOf(series), Int32Array.of(0, 2, 3))]).to.deep.equal([0, 3]);
  });

  it('gives training values mean 0 and deviation 1 on a market', () => {
    const { dataset, spans } = smallSamples({ days: 60 });
    const view = createSequenceView(dataset, ['log_return_1', 'taker_imbalance_1'], 8);
    const rows = rowsWithWindow(view, spans.search.rows);
    fitChannels(view, rows, 5).forEach(({ mean, std }, c) => {
      const z = Float64Array.from(
        rows,
        (row) => (view.series[view.windowEnds[row]! * 2 + c]! - mean) / std,
      );
      const average = z.reduce((sum, x) => sum + x, 0) / z.length;
      const square = z.reduce((sum, x) => sum + x * x, 0) / z.length;
      // each of n additions rounds by at most half an ulp of a sum below n
      expect(Math.abs(average)).to.be.below(z.length * Number.EPSILON);
      expect(Math.abs(square - 1)).to.be.below(4 * z.length * Number.EPSILON);
    });
  });
});
