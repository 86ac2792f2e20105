import { expect } from 'chai';
import { createRandom } from '../../../core/index.ts';
import { probabilityOfBacktestOverfitting } from '../../../models/evaluate/index.ts';
import { codeOf } from './golden.ts';
import { combinations, slowOutcome } from './slowCscv.ts';

/** Configuration-major daily returns: noise, plus what `drift` adds to a configuration. */
function noise(
  seed: number,
  configs: number,
  days: number,
  drift = (_: number) => 0,
): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from(
    { length: configs * days },
    (_, at) => 0.01 * random.normal() + drift(Math.floor(at / days)),
  );
}

describe('the probability of backtest overfitting', () => {
  it('follows a table by hand: two configurations, two blocks of two days', () => {
    // Sharpe of (1, 3) is 2 / sqrt 2; of (-1, -3) its negative; of (0, 2) and (2, 0) 1 / sqrt 2.
    const returns = Float64Array.of(1, 3, -1, -3, 0, 2, 2, 0).map((value) => value / 100);
    const found = probabilityOfBacktestOverfitting(returns, 2, 2);
    // Block 0 chooses the first, which is worst in block 1: rank 1 of 2, ln((1/3) / (2/3)) = -ln 2.
    // Block 1 chooses the second, which is worst in block 0.
    expect(found.logits).to.have.length(2);
    for (const logit of found.logits) expect(logit).to.be.closeTo(-Math.LN2, 1e-15);
    expect(found).to.include({ pbo: 1, pbo_strict: 1, combinations: 2, blocks: 2, days_used: 4 });
    // Out of sample: -2 / sqrt 2 (a loss) after 2 / sqrt 2, and 1 / sqrt 2 after 1 / sqrt 2.
    expect(found.oos_loss_probability).to.equal(0.5);
    expect(found.slope).to.be.closeTo(-3, 1e-12);
  });

  it('equals the slow loops, logit by logit and in their order', () => {
    for (const [seed, configs, days, blocks] of [
      [1, 7, 60, 6],
      [2, 20, 101, 8],
      [3, 5, 47, 10],
    ] as const) {
      const returns = noise(seed, configs, days);
      const found = probabilityOfBacktestOverfitting(returns, configs, blocks);
      const slow = [...combinations(blocks, blocks / 2)].map((chosen) =>
        slowOutcome(returns, configs, blocks, chosen),
      );
      expect(found.logits).to.deep.equal(slow.map(({ logit }) => logit));
      const share = (holds: (one: (typeof slow)[number]) => boolean) =>
        slow.filter(holds).length / slow.length;
      expect(found.pbo).to.equal(share(({ logit }) => logit <= 0));
      expect(found.pbo_strict).to.equal(share(({ logit }) => logit < 0));
      expect(found.oos_loss_probability).to.equal(share(({ outside }) => outside < 0));
      const x = slow.map(({ inside }) => inside);
      const y = slow.map(({ outside }) => outside);
      const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
      const [mx, my] = [mean(x), mean(y)];
      const slope =
        mean(x.map((v, i) => (v - mx) * (y[i]! - my))) / mean(x.map((v) => (v - mx) ** 2));
      expect(found.slope).to.be.closeTo(slope, 1e-9);
    }
  });

  it('drops the oldest days when the blocks do not divide them', () => {
    const returns = noise(4, 3, 35);
    const found = probabilityOfBacktestOverfitting(returns, 3, 4);
    expect(found).to.include({ days_used: 32, days_dropped: 3 });
    const newest = Float64Array.from(
      [0, 1, 2].flatMap((c) => [...returns.subarray(c * 35 + 3, (c + 1) * 35)]),
    );
    expect(found.logits).to.deep.equal(probabilityOfBacktestOverfitting(newest, 3, 4).logits);
  });

  it('averages ties: twins never rank below each other', () => {
    const one = noise(5, 1, 64);
    const twins = Float64Array.from([...one, ...one]);
    const found = probabilityOfBacktestOverfitting(twins, 2, 4);
    // Rank 1.5 of 2 everywhere: logit 0, counted by pbo, not by pbo_strict.
    expect(found.logits.every((logit) => logit === 0)).to.equal(true);
    expect(found).to.include({ pbo: 1, pbo_strict: 0 });
  });

  it('scores an idle configuration 0, in each half and without NaN', () => {
    // The first never trades; the second trades well in the newer half only, where it is chosen, and ties
    // with the first in the older one.
    const returns = noise(6, 4, 64, (config) => (config === 1 ? 0.03 : 0));
    returns.fill(0, 0, 64 + 32);
    const found = probabilityOfBacktestOverfitting(returns, 4, 4);
    const slow = [...combinations(4, 2)].map((chosen) => slowOutcome(returns, 4, 4, chosen).logit);
    expect(found.logits).to.deep.equal(slow);
    const idle = probabilityOfBacktestOverfitting(new Float64Array(128), 2, 4);
    expect(idle).to.include({ slope: null, pbo_strict: 0, oos_loss_probability: 0 });
  });

  it('keeps its digits when means are larger than deviations', () => {
    const returns = noise(7, 6, 64, () => 1e6);
    const found = probabilityOfBacktestOverfitting(returns, 6, 8);
    const slow = [...combinations(8, 4)].map((chosen) => slowOutcome(returns, 6, 8, chosen).logit);
    expect(found.logits).to.deep.equal(slow);
  });

  it('is near 1/2 for noise and near 0 where one configuration is truly better', () => {
    const seeds = Array.from({ length: 30 }, (_, i) => 100 + i);
    const mean =
      seeds.reduce(
        (sum, seed) => sum + probabilityOfBacktestOverfitting(noise(seed, 20, 160), 20, 8).pbo,
        0,
      ) / seeds.length;
    // One seed's PBO spreads by about 0.25, so the mean of 30 by 0.05.
    expect(mean).to.be.closeTo(0.5, 0.15);
    const better = noise(8, 20, 160, (config) => (config === 3 ? 0.008 : 0));
    expect(probabilityOfBacktestOverfitting(better, 20, 8).pbo).to.be.lessThan(0.02);
  });

  it('counts 12,870 combinations of 16 blocks', () => {
    expect(probabilityOfBacktestOverfitting(noise(9, 3, 64), 3).combinations).to.equal(12_870);
  });

  it('refuses shapes and numbers that make no sense', () => {
    const returns = noise(10, 4, 64);
    const code = (...args: Parameters<typeof probabilityOfBacktestOverfitting>) =>
      codeOf(() => probabilityOfBacktestOverfitting(...args));
    expect(code(returns, 1)).to.equal('out_of_range');
    expect(code(returns, 4, 5)).to.equal('out_of_range');
    expect(code(returns, 4, 0)).to.equal('out_of_range');
    expect(code(returns, 4, 22)).to.equal('out_of_range');
    expect(code(returns.subarray(0, 4 * 31), 4, 16)).to.equal('out_of_range');
    expect(code(returns.subarray(1), 4)).to.equal('length_mismatch');
    const bad = Float64Array.from(returns);
    bad[77] = Number.NaN;
    expect(code(bad, 4)).to.equal('non_finite');
    bad[77] = 1e200;
    expect(code(bad, 4)).to.equal('non_finite');
  });
});
