import { expect } from 'chai';
import { hourMs } from '../../../core/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { type ArmRuns, runArm, scoresOnGrid } from '../../../training/retrain/arms.ts';
import type { Samples } from '../../../training/retrain/samples.ts';
import { smallConfig } from './smallConfig.ts';
import { smallSamples } from './smallMarket.ts';

describe('retrain: arms', () => {
  const { trade } = smallConfig();
  let samples: Samples;
  before(() => {
    samples = smallSamples({ days: 90 });
  });

  const timesOf = ({ dataset }: Samples): number => dataset.panel.openMs.length;
  const emptyGrid = (): Float64Array =>
    new Float64Array(samples.dataset.panel.close.length).fill(Number.NaN);
  const run = (grid: Float64Array, at: Samples = samples): ArmRuns =>
    runArm(at.dataset, { policy: 'test', grid }, samples.spans, trade);
  /** One symbol's score of 1 at the bar that opens at a time. */
  const scoreAt = (openMs: number): Float64Array => {
    const grid = emptyGrid();
    grid[samples.dataset.panel.openMs.indexOf(openMs)] = 1;
    return grid;
  };

  it('stand on the grid where their rows stand, and decide nothing elsewhere', () => {
    const { dataset } = samples;
    const scores = Float64Array.from({ length: dataset.rows }, (_, row) => row + 0.5);
    const grid = scoresOnGrid(dataset, scores);
    expect(grid.length).to.equal(dataset.panel.symbols.length * timesOf(samples));
    expect(grid.reduce((count, x) => count + (Number.isNaN(x) ? 0 : 1), 0)).to.equal(dataset.rows);
    for (let row = 0; row < dataset.rows; row += 97) {
      const at = dataset.symbolIndex[row]! * timesOf(samples) + dataset.timeIndex[row]!;
      expect(grid[at]).to.equal(row + 0.5);
      expect(dataset.panel.openMs[dataset.timeIndex[row]!]! + hourMs).to.equal(dataset.t0[row]);
    }
  });

  for (const window of ['validation', 'forward_oos'] as const) {
    it(`decide in ${window} from one bar before its first label to the end of its last`, () => {
      const { from, to } = samples.spans[window];
      const { [window]: done } = run(emptyGrid());
      expect(done.from).to.equal(from - hourMs);
      expect(done.to).to.equal(to);
      expect(run(scoreAt(from - hourMs))[window].metrics.fills, 'first bar').to.be.above(0);
      expect(run(scoreAt(from - 2 * hourMs))[window].metrics.fills, 'before').to.equal(0);
      expect(run(scoreAt(to - 2 * hourMs))[window].metrics.fills, 'last that fills').to.be.above(0);
      expect(run(scoreAt(to - hourMs))[window].metrics.fills, 'fills after the end').to.equal(0);
      expect(run(scoreAt(to))[window].metrics.fills, 'after').to.equal(0);
    });
  }

  it('know nothing in validation of what comes after it, prices and scores alike', () => {
    const { dataset, spans } = samples;
    const scores = Float64Array.from({ length: dataset.rows }, (_, row) => Math.sin(row));
    const grid = scoresOnGrid(dataset, scores);
    const later = (panel: BarPanel, at: number): boolean =>
      panel.openMs[at % panel.openMs.length]! >= spans.validation.to;
    const raised = (column: Float64Array): Float64Array =>
      column.map((x, at) => (later(dataset.panel, at) ? 3 * x : x));
    const { open, high, low, close } = dataset.panel;
    const prices = {
      open: raised(open),
      high: raised(high),
      low: raised(low),
      close: raised(close),
    };
    const changed = { ...samples, dataset: { ...dataset, panel: { ...dataset.panel, ...prices } } };
    const before = run(grid);
    const after = run(
      grid.map((x, at) => (later(dataset.panel, at) ? -x : x)),
      changed,
    );
    expect(before.validation.metrics.fills).to.be.above(0);
    expect(after.validation).to.deep.equal(before.validation);
    expect(after.forward_oos).to.not.deep.equal(before.forward_oos);
  });

  it('have a rank correlation over the rows of the window alone, and none for constant scores', () => {
    const { dataset, spans } = samples;
    const own = Float64Array.from(dataset.labels);
    for (const row of spans.forward_oos.rows) own[row] = -dataset.labels[row]!;
    const runs = run(scoresOnGrid(dataset, own));
    expect(runs.validation.rankIc).to.be.closeTo(1, 1e-12);
    expect(runs.forward_oos.rankIc).to.be.closeTo(-1, 1e-12);
    expect(run(scoresOnGrid(dataset, new Float64Array(dataset.rows))).validation.rankIc).to.equal(
      null,
    );
  });
});
