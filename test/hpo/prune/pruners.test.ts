import { expect } from 'chai';
import { exactLog } from '../../../hpo/prune/exactLog.ts';
import { bracketBudgets } from '../../../hpo/prune/hyperband.ts';
import {
  hyperbandPruner,
  medianPruner,
  percentilePruner,
  successiveHalvingPruner,
} from '../../../hpo/prune/index.ts';
import { nanPercentile } from '../../../hpo/prune/percentile.ts';
import type { Direction, FrozenTrial, Pruner } from '../../../hpo/study/index.ts';
import { newTrial, withAttributes, withReport } from './replay.ts';

/** Trial with reports at steps 1, 2, ... */
const reporting = (number: number, ...values: number[]): FrozenTrial =>
  values.reduce((trial, value, i) => withReport(trial, i + 1, value), newTrial(number));
const complete = (trial: FrozenTrial, completedAt = trial.number): FrozenTrial => ({
  ...trial,
  state: 'COMPLETE',
  completedAt,
});
const judged = (
  pruner: Pruner,
  finished: readonly FrozenTrial[],
  trial: FrozenTrial,
  direction: Direction = 'MINIMIZE',
) => pruner.decide({ name: 's', directions: [direction], trials: [...finished, trial] }, trial);

describe('the median pruner', () => {
  const five = [1, 2, 3, 4, 5].map((value, i) => complete(reporting(i, value)));

  it('ends a trial that is worse than the median, and keeps one that equals it', () => {
    expect(judged(medianPruner(), five, reporting(5, 3.1)).prune).to.equal(true);
    expect(judged(medianPruner(), five, reporting(5, 3)).prune).to.equal(false);
    expect(judged(medianPruner(), five, reporting(5, 2.9), 'MAXIMIZE').prune).to.equal(true);
  });

  it('waits for five complete trials', () => {
    expect(judged(medianPruner(), five.slice(1), reporting(5, 9)).prune).to.equal(false);
  });

  it('judges the best report so far, not the last', () => {
    const pruner = medianPruner({ startupTrials: 1 });
    expect(judged(pruner, [complete(reporting(0, 5, 3))], reporting(1, 2, 9)).prune).to.equal(
      false,
    );
  });

  it('ends what reported NaN only, and takes no notice of the NaN of others', () => {
    expect(judged(medianPruner(), five, reporting(5, Number.NaN)).prune).to.equal(true);
    const others = [...five, complete(reporting(5, Number.NaN))];
    expect(judged(medianPruner(), others, reporting(6, 3)).prune).to.equal(false);
  });

  it('refuses options out of range, naming each', () => {
    expect(() => percentilePruner(101)).to.throw(/percentile must be in \[0, 100\]/);
    expect(() => medianPruner({ startupTrials: -1, intervalSteps: 0 })).to.throw(
      /startupTrials .* -1; intervalSteps .* 0/,
    );
  });
});

describe('percentiles', () => {
  it('lie between neighbours in proportion', () => {
    expect(nanPercentile([4, 1, Number.NaN, 2], 50)).to.equal(2);
    expect(nanPercentile([1, 2], 25)).to.equal(1.25);
    expect(nanPercentile([7], 90)).to.equal(7);
    expect(nanPercentile([], 50)).to.be.NaN;
  });
});

describe('the successive halving pruner', () => {
  const pruner = successiveHalvingPruner({ minResource: 1, reductionFactor: 2 });
  const passed = (number: number, value: number) =>
    withAttributes(newTrial(number), new Map([['completed_rung_0', value]]));

  it('promotes the best half of those at a rung, and remembers what a trial had there', () => {
    const rung = [1, 2, 3].map((value, i) => passed(i, value));
    const good = judged(pruner, rung, reporting(3, 2));
    expect(good.prune).to.equal(false);
    expect([...good.remember]).to.deep.equal([['completed_rung_0', 2]]);
    const bad = judged(pruner, rung, reporting(3, 2.5));
    expect(bad.prune).to.equal(true);
    expect([...bad.remember]).to.deep.equal([['completed_rung_0', 2.5]]);
  });

  it('remembers infinities as numbers that JSON has, and ranks them as they are', () => {
    const { prune, remember } = judged(pruner, [], reporting(0, Number.POSITIVE_INFINITY));
    expect(prune).to.equal(false);
    expect(JSON.parse(JSON.stringify([...remember]))).to.deep.equal([...remember]);
    const others = [withAttributes(newTrial(0), remember), passed(1, 5)];
    expect(judged(pruner, others, reporting(2, Number.POSITIVE_INFINITY)).prune).to.equal(true);
    expect(
      judged(pruner, others.slice(0, 1), reporting(2, Number.POSITIVE_INFINITY)).prune,
    ).to.equal(false);
  });

  it('measures the first with the best, though half of one is nobody', () => {
    expect(judged(pruner, [], reporting(0, 9)).prune).to.equal(false);
  });

  it('passes several rungs at once after a gap in the steps', () => {
    const late = withReport(newTrial(0), 5, 1);
    expect([...judged(pruner, [], late).remember.keys()]).to.deep.equal([
      'completed_rung_0',
      'completed_rung_1',
      'completed_rung_2',
    ]);
  });

  it('finds its first rung from the trial that completed first, whichever complete later', () => {
    const auto = successiveHalvingPruner();
    const short = complete(withReport(newTrial(1), 100, 0), 5);
    const long = complete(withReport(newTrial(0), 900, 0), 6);
    const trial = withReport(newTrial(2), 3, Number.NaN);
    expect(judged(auto, [], trial).prune).to.equal(false);
    expect(judged(auto, [long, short], trial).prune).to.equal(true);
    expect(judged(auto, [{ ...long, completedAt: 4 }, short], trial).prune).to.equal(false);
  });

  it('refuses to bootstrap at a rung it does not know yet', () => {
    expect(() => successiveHalvingPruner({ bootstrapCount: 1 })).to.throw(/minResource/);
    expect(() => hyperbandPruner({ bootstrapCount: 1 })).to.throw(/maxResource/);
    expect(() => successiveHalvingPruner({ reductionFactor: 1 })).to.throw(/reductionFactor/);
  });
});

describe('hyperband', () => {
  it('gives brackets more trials the sooner they end some', () => {
    // 4 brackets: ceil(4 * 27 / 4), ceil(4 * 9 / 3), ceil(4 * 3 / 2), 4
    expect(bracketBudgets(1, 27, 3)).to.deep.equal([27, 12, 6, 4]);
    expect(bracketBudgets(20, 5, 3)).to.deep.equal([]);
  });

  it('lets a sampler learn from the own bracket, and from all while brackets are unknown', () => {
    const trials = Array.from({ length: 40 }, (_, i) => newTrial(i));
    const study = { name: 's', directions: ['MINIMIZE'] as const, trials };
    const pruner = hyperbandPruner({ maxResource: 27 });
    const groups = trials.map((trial) => pruner.peers(study, trial)!.map(({ number }) => number));
    expect(new Set(groups.map(String)).size).to.equal(4);
    groups.forEach((group, number) => {
      expect(group).to.include(number);
    });
    expect(hyperbandPruner().peers(study, trials[0]!)).to.equal(null);
  });

  it('counts brackets with logarithms rounded as Python’s are', () => {
    // powers of 2 to 16 below 1e12 whose quotient of logarithms floors to one less: CPython 3.11, glibc
    const short = '3^5 3^10 3^13 3^15 3^17 3^20 3^23 9^5 9^10 10^3 10^6 10^9 11^7 12^7';
    const ours: string[] = [];
    for (let base = 2; base <= 16; base += 1)
      for (let k = 1; base ** k < 1e12; k += 1) {
        if (Math.floor(exactLog(base ** k) / exactLog(base)) < k) ours.push(`${base}^${k}`);
        // neighbours are never in doubt
        expect(Math.floor(exactLog(base ** k + 1) / exactLog(base))).to.equal(k);
      }
    expect(ours.join(' ')).to.equal(short);
  });

  it('takes logarithms as the platform does, to an ulp', () => {
    for (const x of [1, 1.5, 2, 3, 0.1, 1e-300, 1e300, 5e-324, 243, 2 ** 53 - 1]) {
      const platform = Math.log(x);
      expect(Math.abs(exactLog(x) - platform)).to.be.at.most(2 ** -52 * Math.abs(platform));
    }
  });
});
