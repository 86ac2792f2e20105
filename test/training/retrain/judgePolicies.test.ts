// Which of several policies is promoted: networks must improve on the trees, one at most wins.

import { expect } from 'chai';
import { createRandom, type RunMetrics } from '../../../core/index.ts';
import type { ArmRun, ArmRuns } from '../../../training/retrain/arms.ts';
import { checkImprovement, judgePolicies } from '../../../training/retrain/promotion.ts';
import { metricsOf, promotionRules as rules } from './promotionSamples.ts';

const days = 80;
const noiseOf = (label: string, spread: number): number[] => {
  const random = createRandom(9).fork(label);
  const raw = Array.from({ length: days }, () => spread * random.normal());
  const mean = raw.reduce((sum, x) => sum + x, 0) / days;
  return raw.map((x) => x - mean);
};

/** An arm whose days are a common noise plus a mean of its own in each window. */
function arm(
  validation: number,
  forward: number,
  changes: Partial<RunMetrics> = {},
  own = 'own',
): ArmRuns {
  const run = (window: string, mean: number): ArmRun => {
    const common = noiseOf(`common ${window}`, 0.002);
    const apart = noiseOf(`${own} ${window}`, 0.0005);
    const returns = common.map((x, day) => x + apart[day]! + mean);
    return {
      metrics: metricsOf(returns, changes),
      rankIc: null,
      from: 0,
      to: 1,
      counts: { decisions: 1, scoredByModel: 1 },
    };
  };
  return { validation: run('validation', validation), forward_oos: run('forward', forward) };
}

const baseline = arm(0, 0, {}, 'baseline');
const judge = (arms: Readonly<Record<string, ArmRuns>>, trials = 3) =>
  judgePolicies(
    new Map(Object.entries({ ...arms, frozen_baseline: baseline, zero: arm(0, 0, {}, 'zero') })),
    rules,
    trials,
    1,
  );
const trees = arm(0.002, 0.002, {}, 'trees');

describe('retrain: the choice among policies', () => {
  it('keeps the trees where no network improves on them', () => {
    const { verdicts, promotedPolicy } = judge({
      tabular_only: trees,
      nn_only: arm(0.0015, 0.0025, {}, 'nn'),
      'blend_alpha_0.5': arm(0.0025, 0.0015, {}, 'blend'),
    });
    expect(promotedPolicy).to.equal('tabular_only');
    expect(verdicts.get('tabular_only')!.reasons).to.deep.equal([]);
    expect(verdicts.get('nn_only')!.reasons.join()).to.match(
      /validation: net return per day against tabular_only: -5\.00 bps, needed above 0/,
    );
    expect(verdicts.get('blend_alpha_0.5')!.reasons.join()).to.match(
      /forward_oos: net return per day against tabular_only: -5\.00 bps/,
    );
    expect([...verdicts.keys()]).to.deep.equal(['tabular_only', 'nn_only', 'blend_alpha_0.5']);
  });

  it('promotes of several networks that pass the one with the best validation result, and no other', () => {
    const arms = {
      tabular_only: trees,
      nn_only: arm(0.003, 0.005, {}, 'nn'),
      'blend_alpha_0.5': arm(0.004, 0.003, {}, 'blend'),
    };
    const { verdicts, promotedPolicy } = judge(arms);
    expect(promotedPolicy).to.equal('blend_alpha_0.5');
    expect(verdicts.get('nn_only')).to.deep.include({
      promoted: false,
      reasons: ['both: every rule holds, but blend_alpha_0.5 has the better validation result'],
    });
    expect(verdicts.get('tabular_only')).to.deep.include({
      promoted: false,
      reasons: ['both: every rule holds, and blend_alpha_0.5 improves on it'],
    });
    const first = judge({ ...arms, 'blend_alpha_0.5': arm(0.0029, 0.009, {}, 'blend') });
    expect(first.promotedPolicy).to.equal('nn_only');
  });

  it('promotes a network beside trees that fail', () => {
    const { promotedPolicy, verdicts } = judge({
      tabular_only: arm(-0.0001, 0.0001, {}, 'trees'),
      nn_only: arm(0.002, 0.002, {}, 'nn'),
    });
    expect(promotedPolicy).to.equal('nn_only');
    expect(verdicts.get('tabular_only')!.reasons.join()).to.contain('net return per day');
  });

  it('refuses a network that improves on the trees and breaks a rule that trees must keep', () => {
    for (const [changes, rule] of [
      [{ max_drawdown: -0.3 }, 'max_drawdown'],
      [{ reject_rate: 0.06 }, 'reject_rate'],
    ] as const) {
      const nn = arm(0.004, 0.004, changes, 'nn');
      const { promotedPolicy, verdicts } = judge({ tabular_only: trees, nn_only: nn });
      expect(promotedPolicy).to.equal('tabular_only');
      expect(verdicts.get('nn_only')!.reasons).to.have.length(2);
      expect(verdicts.get('nn_only')!.reasons.join()).to.contain(rule);
    }
    const many = judge({ tabular_only: trees, nn_only: arm(0.004, 0.004, {}, 'nn') }, 1e15);
    const failed = many.verdicts.get('nn_only')!.checks.filter(({ passed }) => !passed);
    expect(failed.every(({ rule }) => rule === 'deflated_sharpe')).to.equal(true);
  });

  it('promotes nothing where nothing passes', () => {
    const { promotedPolicy, verdicts } = judge({
      tabular_only: arm(0, 0, {}, 'trees'),
      nn_only: arm(0.00001, 0.00001, {}, 'nn'),
    });
    expect(promotedPolicy).to.equal(null);
    expect([...verdicts.values()].every(({ promoted }) => !promoted)).to.equal(true);
    expect([...verdicts.values()].every(({ reasons }) => reasons.length > 0)).to.equal(true);
  });

  it('asks of an improvement that it points the right way in both windows and is not luck', () => {
    const broken = (policy: ArmRuns) =>
      checkImprovement(policy, trees, rules, 1)
        .filter(({ passed }) => !passed)
        .map(({ rule, window }) => `${rule} ${window}`);
    expect(broken(arm(0.003, 0.003, {}, 'nn'))).to.deep.equal([]);
    expect(broken(arm(0.0019, 0.006, {}, 'nn'))).to.deep.equal(['above_tabular_only validation']);
    expect(broken(arm(0.006, 0.0019, {}, 'nn'))).to.deep.equal(['above_tabular_only forward_oos']);
    expect(broken(arm(0.00202, 0.00202, {}, 'nn'))).to.deep.equal(['beats_tabular_only both']);
    expect(broken(trees)).to.have.length(3);
  });
});
