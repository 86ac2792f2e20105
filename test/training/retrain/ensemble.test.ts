// The weight of the trees in the blend.

import { expect } from 'chai';
import { blendPolicy } from '../../../core/index.ts';
import { chooseAlpha, policyArm } from '../../../training/retrain/ensemble.ts';
import type { Samples } from '../../../training/retrain/samples.ts';
import { smallConfig } from './smallConfig.ts';
import { smallSamples } from './smallMarket.ts';

describe('retrain: the blend', () => {
  const { trade } = smallConfig();
  let samples: Samples;
  before(() => {
    samples = smallSamples({ days: 60 });
  });

  /** A score that knows the coming bars, on every bar that has a label. */
  function oracle(): Float64Array {
    const { dataset } = samples;
    const grid = new Float64Array(dataset.panel.close.length).fill(Number.NaN);
    for (let row = 0; row < dataset.rows; row += 1) {
      const at = dataset.symbolIndex[row]! * dataset.panel.openMs.length + dataset.timeIndex[row]!;
      grid[at] = dataset.labels[row]!;
    }
    return grid;
  }

  const choose = (tabular: Float64Array, nn: Float64Array, alphas: readonly number[]) =>
    chooseAlpha(samples.dataset, samples.spans.validation, { tabular, nn }, alphas, trade);

  it('leans on whichever part earns more on validation', () => {
    const right = oracle();
    const wrong = right.map((score) => -score);
    const alphas = [0.1, 0.5, 0.9];
    expect(choose(right, wrong, alphas).alpha).to.equal(0.9);
    expect(choose(wrong, right, alphas).alpha).to.equal(0.1);
    const { candidates } = choose(right, wrong, alphas);
    expect(candidates.map(({ alpha }) => alpha)).to.deep.equal(alphas);
    expect(candidates[2]!.net_return_per_day).to.be.above(candidates[0]!.net_return_per_day);
  });

  it('takes the first of equals', () => {
    const same = oracle();
    expect(choose(same, same, [0.25, 0.75]).alpha).to.equal(0.25);
    expect(choose(same, same, [0.75, 0.25]).alpha).to.equal(0.75);
  });

  it('is alpha times the trees and the rest of the network, the trees alone where it lacks', () => {
    const tabular = Float64Array.of(1, 2, Number.NaN);
    const nn = Float64Array.of(5, Number.NaN, 3);
    const { policy, grid, own } = policyArm(blendPolicy(0.25), { tabular, nn });
    expect(policy).to.equal('blend_alpha_0.25');
    expect([...grid]).to.deep.equal([4, 2, Number.NaN]);
    expect([...own!]).to.deep.equal([4, Number.NaN, Number.NaN]);
    const alone = policyArm('nn_only', { tabular, nn });
    expect([...alone.grid]).to.deep.equal([5, 2, 3]);
    expect([...alone.own!]).to.deep.equal([5, Number.NaN, 3]);
  });
});
