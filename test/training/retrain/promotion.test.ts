import { expect } from 'chai';
import { createRandom, type RunMetrics } from '../../../core/index.ts';
import type { ArmRun, ArmRuns } from '../../../training/retrain/arms.ts';
import type { RetrainConfig } from '../../../training/retrain/index.ts';
import { brokenRules, checkPromotion, statisticsOf } from '../../../training/retrain/promotion.ts';
import { metricsOf, promotionRules as rules } from './promotionSamples.ts';

type Rules = RetrainConfig['promotion'];
type Daily = Readonly<Record<'validation' | 'forward_oos', readonly number[]>>;

const runOf = (returns: readonly number[], changes: Partial<RunMetrics> = {}): ArmRun => ({
  metrics: metricsOf(returns, changes),
  rankIc: null,
  from: 0,
  to: 1,
  counts: { decisions: 1, scoredByModel: 1 },
});

const armOf = (daily: Daily): ArmRuns => ({
  validation: runOf(daily.validation),
  forward_oos: runOf(daily.forward_oos),
});

/** Normal numbers with exactly this mean (to rounding) and about this spread. */
function noise(label: string, days: number, mean: number, spread: number): number[] {
  const random = createRandom(5).fork(label);
  const raw = Array.from({ length: days }, () => spread * random.normal());
  const shift = mean - raw.reduce((sum, x) => sum + x, 0) / days;
  return raw.map((x) => x + shift);
}

const minus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x - b[i]!);

const strong: Daily = {
  validation: noise('own validation', 60, 0.003, 0.001),
  forward_oos: noise('own forward', 60, 0.003, 0.001),
};
const weak: Daily = {
  validation: noise('baseline validation', 60, 0.0005, 0.001),
  forward_oos: noise('baseline forward', 60, 0.0005, 0.001),
};

/** Names of the broken rules, with their windows. */
function broken(
  policy: ArmRuns,
  baseline: ArmRuns,
  { trials = 5, seed = 1, ...changes }: Partial<Rules> & { trials?: number; seed?: number } = {},
): string[] {
  return checkPromotion(policy, baseline, { ...rules, ...changes }, trials, seed)
    .filter(({ passed }) => !passed)
    .map(({ rule, window }) => `${rule} ${window}`);
}

describe('retrain: the rules of promotion', () => {
  it('are eleven, four for each window and three for both together', () => {
    const checks = checkPromotion(armOf(strong), armOf(weak), rules, 5, 1);
    const each = (window: string) =>
      ['net_return_positive', 'above_frozen_baseline', 'max_drawdown', 'reject_rate'].map(
        (rule) => `${rule} ${window}`,
      );
    expect(checks.map(({ rule, window }) => `${rule} ${window}`)).to.deep.equal([
      ...each('validation'),
      ...each('forward_oos'),
      'beats_zero both',
      'beats_frozen_baseline both',
      'deflated_sharpe both',
    ]);
  });

  it('promote a policy for which all of them hold', () => {
    const checks = checkPromotion(armOf(strong), armOf(weak), rules, 5, 1);
    expect(brokenRules(checks)).to.deep.equal([]);
  });

  for (const [window, other] of [
    ['validation', 'forward_oos'],
    ['forward_oos', 'validation'],
  ] as const) {
    const short = (label: string, mean: number, spread = 0.001) => noise(label, 20, mean, spread);
    const long = (label: string, mean: number) => noise(label, 300, mean, 0.001);
    const daily = (small: readonly number[], large: readonly number[]) =>
      armOf({ [window]: small, [other]: large } as unknown as Daily);

    it(`refuse a policy that loses in ${window} alone`, () => {
      const policy = daily(short('a', -0.0001), long('b', 0.006));
      const baseline = daily(short('c', -0.002), long('d', 0.0005));
      expect(broken(policy, baseline)).to.deep.equal([`net_return_positive ${window}`]);
    });

    it(`refuse a policy that gains less than the frozen baseline in ${window} alone`, () => {
      const policy = daily(short('a', 0.003), long('b', 0.006));
      const baseline = daily(short('c', 0.0031), long('d', 0.0005));
      expect(broken(policy, baseline)).to.deep.equal([`above_frozen_baseline ${window}`]);
    });

    it(`refuse a drawdown beyond the limit in ${window} alone, and bear one that equals it`, () => {
      const withDrawdown = (max_drawdown: number): ArmRuns => ({
        ...armOf(strong),
        [window]: runOf(strong[window], { max_drawdown }),
      });
      expect(broken(withDrawdown(-0.25), armOf(weak))).to.deep.equal([]);
      expect(broken(withDrawdown(-0.25 - Number.EPSILON), armOf(weak))).to.deep.equal([
        `max_drawdown ${window}`,
      ]);
    });

    it(`refuse a share of rejects beyond the limit in ${window} alone, and bear one that equals it`, () => {
      const withRejects = (reject_rate: number): ArmRuns => ({
        ...armOf(strong),
        [window]: runOf(strong[window], { reject_rate }),
      });
      expect(broken(withRejects(0.05), armOf(weak))).to.deep.equal([]);
      expect(broken(withRejects(0.05 + Number.EPSILON), armOf(weak))).to.deep.equal([
        `reject_rate ${window}`,
      ]);
    });

    it(`refuse a net return of exactly zero in ${window}`, () => {
      const alternating = Array.from({ length: 20 }, (_, day) => (day % 2 === 0 ? 0.001 : -0.001));
      const policy = daily(alternating, long('b', 0.006));
      const baseline = daily(short('c', -0.002), long('d', 0.0005));
      const checks = checkPromotion(policy, baseline, rules, 5, 1);
      expect(brokenRules(checks)).to.deep.equal([
        `${window}: net return per day against zero: 0.00 bps, needed above 0`,
      ]);
    });
  }

  it('refuse a gain over zero that may be luck', () => {
    const own: Daily = {
      validation: noise('luck validation', 60, 0.0002, 0.01),
      forward_oos: noise('luck forward', 60, 0.0002, 0.01),
    };
    const less = (window: keyof Daily) => minus(own[window], noise(window, 60, 0.001, 0.0001));
    const baseline = armOf({ validation: less('validation'), forward_oos: less('forward_oos') });
    expect(broken(armOf(own), baseline, { trials: 1, min_dsr: 0.01 })).to.deep.equal([
      'beats_zero both',
    ]);
  });

  it('refuse a gain over the frozen baseline that may be luck', () => {
    const lead = (window: keyof Daily) => minus(strong[window], noise(window, 60, 0.0002, 0.01));
    const baseline = armOf({ validation: lead('validation'), forward_oos: lead('forward_oos') });
    expect(broken(armOf(strong), baseline)).to.deep.equal(['beats_frozen_baseline both']);
  });

  it('refuse a Sharpe ratio that so many trials reach by luck, and count the trials', () => {
    const policy = armOf({
      validation: noise('some validation', 60, 0.0004, 0.001),
      forward_oos: noise('some forward', 60, 0.0004, 0.001),
    });
    const baseline = armOf({
      validation: noise('none validation', 60, -0.001, 0.0005),
      forward_oos: noise('none forward', 60, -0.001, 0.0005),
    });
    expect(broken(policy, baseline, { trials: 1 })).to.deep.equal([]);
    expect(broken(policy, baseline, { trials: 1e9 })).to.deep.equal(['deflated_sharpe both']);
    const value = checkPromotion(policy, baseline, rules, 100, 1).at(-1)!.value!;
    expect(broken(policy, baseline, { trials: 100, min_dsr: value })).to.deep.equal([]);
    expect(
      broken(policy, baseline, { trials: 100, min_dsr: value + Number.EPSILON }),
    ).to.deep.equal(['deflated_sharpe both']);
  });

  it('take a p-value that equals the limit, and refuse the next larger one', () => {
    const policy = armOf({
      validation: noise('near validation', 60, 0.0002, 0.00135),
      forward_oos: noise('near forward', 60, 0.0002, 0.00135),
    });
    const baseline = armOf({
      validation: noise('low validation', 60, -0.01, 0.0005),
      forward_oos: noise('low forward', 60, -0.01, 0.0005),
    });
    const near = { ...rules, bootstrap_draws: 399, min_dsr: 0.01 };
    const checkOf = (seed: number) =>
      checkPromotion(policy, baseline, near, 1, seed).find(({ rule }) => rule === 'beats_zero')!;
    const checks = Array.from({ length: 200 }, (_, seed) => checkOf(seed));
    const found = (hits: number) => checks.filter(({ value }) => value === hits / 400);
    expect(found(20), 'no seed gives 20/400').to.not.deep.equal([]);
    expect(found(21), 'no seed gives 21/400').to.not.deep.equal([]);
    expect(found(20).every(({ passed }) => passed)).to.equal(true);
    expect(found(21).some(({ passed }) => passed)).to.equal(false);
  });

  it('never promote constant returns, gains included: no Sharpe ratio exists', () => {
    const constant = (value: number): Daily => ({
      validation: Array(60).fill(value),
      forward_oos: Array(60).fill(value),
    });
    const checks = checkPromotion(armOf(constant(0.001)), armOf(constant(0)), rules, 1, 1);
    expect(checks.at(-1)).to.include({ rule: 'deflated_sharpe', passed: false, value: null });
    expect(checks.at(-1)!.text).to.contain('does not exist');
    expect(broken(armOf(constant(0)), armOf(constant(0)))).to.include.members([
      'net_return_positive validation',
      'above_frozen_baseline forward_oos',
      'beats_zero both',
      'deflated_sharpe both',
    ]);
  });

  it('are decided by the seed alone', () => {
    const once = () => checkPromotion(armOf(strong), armOf(weak), rules, 5, 3);
    expect(once()).to.deep.equal(once());
  });

  it('say what was measured and what was needed', () => {
    const checks = checkPromotion(armOf(weak), armOf(strong), rules, 5, 1);
    expect(brokenRules(checks)).to.include(
      'validation: net return per day against the frozen baseline: -25.00 bps, needed above 0',
    );
  });
});

describe('retrain: Sharpe statistics of an arm', () => {
  it('are null, with a note, where returns are constant', () => {
    const statistics = statisticsOf(metricsOf([0, 0, 0]), 4);
    expect(statistics.dsr_2014_v1).to.equal(null);
    expect(statistics.psr_2012_v1).to.equal(null);
    expect(statistics.trial_count).to.equal(4);
    expect(statistics.note).to.match(/no Sharpe ratio exists/);
  });

  it('deflate more, the more trials led there', () => {
    const metrics = metricsOf(noise('deflated', 60, 0.0004, 0.001));
    const dsr = (trials: number) => statisticsOf(metrics, trials).dsr_2014_v1!;
    expect(dsr(1)).to.be.above(dsr(2));
    expect(dsr(2)).to.be.above(dsr(200));
    expect(statisticsOf(metrics, 1).psr_2012_v1).to.be.closeTo(dsr(1), 1e-12);
  });
});
