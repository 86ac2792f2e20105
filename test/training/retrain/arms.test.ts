import { expect } from 'chai';
import { hourMs } from '../../../core/index.ts';
import type { Dataset } from '../../../data/dataset/index.ts';
import type { BarPanel } from '../../../data/market/index.ts';
import { type ArmRuns, runArm, scoresOfRows } from '../../../training/retrain/arms.ts';
import type { Samples } from '../../../training/retrain/samples.ts';
import { smallConfig } from './smallConfig.ts';
import { smallSamples } from './smallMarket.ts';

/** Row scores on the panel's grid, NaN where there is no row. */
function scoresOnGrid(dataset: Dataset, scores: Float64Array): Float64Array {
  const times = dataset.panel.openMs.length;
  const grid = new Float64Array(dataset.panel.close.length).fill(Number.NaN);
  scores.forEach((score, row) => {
    grid[dataset.symbolIndex[row]! * times + dataset.timeIndex[row]!] = score;
  });
  return grid;
}

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

  it('read the scores of rows off the grid, and count a decision for every bar that is there', () => {
    const { dataset, spans } = samples;
    const scores = Float64Array.from({ length: dataset.rows }, (_, row) => row + 0.5);
    const rows = Int32Array.of(0, 7, dataset.rows - 1);
    const grid = scoresOnGrid(dataset, scores);
    expect([...scoresOfRows(dataset, grid, rows)]).to.deep.equal([0.5, 7.5, dataset.rows - 0.5]);
    expect(dataset.panel.openMs[dataset.timeIndex[7]!]! + hourMs).to.equal(dataset.t0[7]);
    const { decisions, scoredByModel } = run(emptyGrid()).validation.counts;
    const due = dataset.panel.close.filter((close, at) => {
      const openMs = dataset.panel.openMs[at % timesOf(samples)]!;
      const { from, to } = spans.validation;
      return !Number.isNaN(close) && openMs >= from - hourMs && openMs < to;
    });
    expect(decisions).to.equal(due.length);
    expect(scoredByModel).to.equal(0);
    const whole = run(dataset.panel.close).validation.counts;
    expect(whole).to.deep.equal({ decisions: due.length, scoredByModel: due.length });
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
