// What a policy makes of two scores, where it falls back, and that a fall-back is told.

import { expect } from 'chai';
import fc from 'fast-check';
import type { Policy } from '../../../core/index.ts';
import {
  countDecisions,
  ownScores,
  policyScores,
  scoreSource,
} from '../../../models/backtest/index.ts';
import { newYear, panelOf } from './market.ts';

const { NaN: none } = Number;
const tabular = Float64Array.of(1, 2, none, none);
const nn = Float64Array.of(5, none, 7, none);
const blend = 'blend_alpha_0.75' as const;

describe('the scores of a policy', () => {
  it('are the trees, the network, or the blend, whose number is the share of the trees', () => {
    expect(policyScores('tabular_only', tabular, nn)).to.deep.equal(tabular);
    expect(policyScores('nn_only', null, nn)).to.deep.equal(nn);
    expect(policyScores(blend, tabular, nn)[0]).to.equal(0.75 * 1 + 0.25 * 5);
  });

  it('fall back on the trees where the network lacks, and on nothing where the trees lack', () => {
    expect(policyScores(blend, tabular, nn)).to.deep.equal(Float64Array.of(2, 2, none, none));
    expect(policyScores('nn_only', tabular, nn)).to.deep.equal(Float64Array.of(5, 2, 7, none));
    expect(policyScores('tabular_only', tabular, null)).to.deep.equal(tabular);
  });

  it('are the policy’s own only where no part lacks', () => {
    expect(ownScores(blend, tabular, nn)).to.deep.equal(Float64Array.of(2, none, none, none));
    expect(ownScores('nn_only', tabular, nn)).to.deep.equal(nn);
    expect(ownScores('tabular_only', tabular, nn)).to.deep.equal(tabular);
  });

  it('agree with the formula, number by number, and change neither part', () => {
    const score = fc.option(fc.double({ noNaN: true, min: -9, max: 9 }), { nil: none });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(score, score), { minLength: 1 }),
        fc.constantFrom<Policy>('nn_only', 'blend_alpha_0', 'blend_alpha_0.3', 'blend_alpha_1'),
        (pairs, policy) => {
          const [trees, network] = [0, 1].map((k) => Float64Array.from(pairs, (pair) => pair[k]!));
          const before = [trees!.slice(), network!.slice()];
          const own = ownScores(policy, trees!, network!);
          const decides = policyScores(policy, trees!, network!);
          const share = policy === 'nn_only' ? null : Number(policy.slice('blend_alpha_'.length));
          pairs.forEach(([t, n], at) => {
            const expected = share === null ? n : share * t + (1 - share) * n;
            expect(own[at]).to.deep.equal(expected);
            expect(decides[at]).to.deep.equal(Number.isNaN(expected) ? t : expected);
          });
          expect([trees, network]).to.deep.equal(before);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuse a policy whose part the model lacks, and parts of different markets', () => {
    for (const [policy, trees, network] of [
      ['tabular_only', null, nn],
      ['nn_only', tabular, null],
      [blend, null, nn],
      [blend, tabular, null],
    ] as const) {
      expect(() => policyScores(policy, trees, network))
        .to.throw(new RegExp(`${policy} needs`))
        .with.property('code', 'input_invalid');
    }
    for (const policy of ['nn_only', blend] as const) {
      expect(() => policyScores(policy, tabular.subarray(1), nn))
        .to.throw(/3 and 4|4 and 3/)
        .with.property('code', 'length_mismatch');
    }
  });

  it('make a run a fallback as soon as one decision of its window is not the policy’s own', () => {
    const panel = panelOf(
      [
        [
          [1, 1],
          [1, 1],
          [1, 1],
          [1, 1],
        ],
      ],
      { timeframeMs: 1 },
    );
    const sourceOf = (policy: Policy, from: number, to: number) => {
      const own = ownScores(policy, Float64Array.of(1, 1, 1, 1), nn);
      return scoreSource(countDecisions(panel, own, { from: newYear + from, to: newYear + to }));
    };
    expect(sourceOf(blend, 0, 1)).to.equal('model');
    expect(sourceOf(blend, 0, 2)).to.equal('fallback');
    expect(sourceOf('nn_only', 2, 3)).to.equal('model');
    expect(sourceOf('nn_only', 2, 4)).to.equal('fallback');
    expect(sourceOf('tabular_only', 0, 4)).to.equal('model');
  });
});
