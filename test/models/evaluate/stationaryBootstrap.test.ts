import { expect } from 'chai';
import { createRandom, type Random } from '../../../core/index.ts';
import { stationaryBootstrap } from '../../../models/evaluate/index.ts';
import { codeOf } from './golden.ts';

/** AR(1) with unit innovations and the given mean. */
function autoregressive(random: Random, n: number, r: number, mean = 0): Float64Array {
  let state = random.normal() / Math.sqrt(1 - r * r);
  return Float64Array.from({ length: n }, () => {
    const value = state + mean;
    state = r * state + random.normal();
    return value;
  });
}

/** Variance of the resampled mean, exactly: Politis and Romano 1994, lemma 1, circular autocovariances. */
function exactVariance(values: Float64Array, meanBlockLength: number): number {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const covariance = (lag: number): number => {
    let sum = 0;
    for (let i = 0; i < n; i += 1) sum += (values[i]! - mean) * (values[(i + lag) % n]! - mean);
    return sum / n;
  };
  let total = covariance(0);
  for (let lag = 1; lag < n; lag += 1) {
    total += 2 * (1 - lag / n) * (1 - 1 / meanBlockLength) ** lag * covariance(lag);
  }
  return total / n;
}

describe('the stationary bootstrap', () => {
  it('has the spread that theory gives it, for short and long blocks', () => {
    const values = autoregressive(createRandom(1), 150, 0.6);
    for (const meanBlockLength of [1, 3, 12, 40]) {
      const rule = { random: createRandom(2), resamples: 20_000, level: 0.9, meanBlockLength };
      const { low, high } = stationaryBootstrap(values, rule);
      const deviation = (high - low) / (2 * 1.6448536269514722);
      // Quantiles of 20,000 resamples carry 1 %, their not quite normal shape a little more.
      expect(deviation / Math.sqrt(exactVariance(values, meanBlockLength))).to.be.closeTo(1, 0.04);
    }
  });

  it('covers the true mean of autocorrelated values about as often as it says', () => {
    let covered = 0;
    const rounds = 300;
    for (let round = 0; round < rounds; round += 1) {
      const random = createRandom(1000 + round);
      const values = autoregressive(random, 400, 0.3, 0.7);
      const { low, high } = stationaryBootstrap(values, { random, resamples: 300, level: 0.9 });
      if (low <= 0.7 && 0.7 <= high) covered += 1;
    }
    // Three standard errors of a share of 0.9 in 300 are 0.052; finite blocks cost a few per cent more.
    expect(covered / rounds).to.be.within(0.82, 0.95);
  });

  it('gives small p-values to true gains, large ones to losses, even ones to nothing', () => {
    const p = (mean: number, seed: number) => {
      const random = createRandom(seed);
      return stationaryBootstrap(autoregressive(random, 300, 0.2, mean), { random, resamples: 500 })
        .p_value;
    };
    expect(p(0.5, 1)).to.be.lessThan(0.01);
    expect(p(-0.5, 2)).to.be.greaterThan(0.99);
    const seeds = Array.from({ length: 200 }, (_, i) => 50 + i);
    const rejected = seeds.filter((seed) => p(0, seed) <= 0.05).length;
    // 200 x 0.05 = 10, standard deviation 3.1.
    expect(rejected).to.be.within(2, 22);
  });

  it('is decided by its seed', () => {
    const values = autoregressive(createRandom(3), 100, 0.2);
    const run = (seed: number) => stationaryBootstrap(values, { random: createRandom(seed) });
    expect(run(4)).to.deep.equal(run(4));
    expect(run(4).low).not.to.equal(run(5).low);
  });

  it('finds the block length that theory wants for an AR(1)', () => {
    // (2 r / (1 - r^2))^(2/3) n^(1/3)
    const n = 20_000;
    for (const r of [0.3, 0.8]) {
      const lengths = Array.from({ length: 10 }, (_, seed) => {
        const random = createRandom(seed);
        const values = autoregressive(random, n, r);
        return stationaryBootstrap(values, { random, resamples: 100 }).mean_block_length;
      });
      const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
      const theory = ((2 * r) / (1 - r * r)) ** (2 / 3) * Math.cbrt(n);
      expect(mean / theory).to.be.closeTo(1, 0.2);
    }
  });

  it('keeps a series without variation where it is', () => {
    const still = stationaryBootstrap(new Float64Array(50), { random: createRandom(6) });
    expect(still).to.include({ estimate: 0, low: 0, high: 0, p_value: 1, mean_block_length: 1 });
  });

  it('refuses what it cannot resample', () => {
    const random = createRandom(7);
    const values = new Float64Array(20);
    const code = (rule: object, of = values) =>
      codeOf(() => stationaryBootstrap(of, { random, ...rule }));
    expect(code({ level: 1 })).to.equal('out_of_range');
    expect(code({ level: Number.NaN })).to.equal('out_of_range');
    expect(code({ resamples: 99 })).to.equal('out_of_range');
    expect(code({ meanBlockLength: 0.5 })).to.equal('out_of_range');
    expect(code({ meanBlockLength: 21 })).to.equal('out_of_range');
    expect(code({}, Float64Array.of(1))).to.equal('out_of_range');
    expect(code({}, Float64Array.of(1, Number.NaN))).to.equal('non_finite');
  });
});
