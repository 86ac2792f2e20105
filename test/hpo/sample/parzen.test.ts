import { expect } from 'chai';
import fc from 'fast-check';
import type { Observations } from '../../../hpo/sample/kernels.ts';
import { mersenneTwister } from '../../../hpo/sample/mt19937.ts';
import { pairwiseSum } from '../../../hpo/sample/pairwiseSum.ts';
import { parzenEstimator, recencyWeights } from '../../../hpo/sample/parzen.ts';
import { logMass, logPdf } from '../../../hpo/sample/truncatedNormal.ts';
import {
  categoricalDistribution,
  floatDistribution,
  intDistribution,
} from '../../../hpo/study/index.ts';

const ones = (n: number) => new Float64Array(n).fill(1);
const observed = (distribution: Observations['distribution'], ...values: number[]) => ({
  distribution,
  values: Float64Array.from(values),
});

/** Probability of each value, by an estimator of one parameter. */
const probabilities = (observations: Observations, values: readonly number[]): number[] =>
  [...estimator(observations).logDensity([Float64Array.from(values)])].map(Math.exp);

const estimator = (...observations: Observations[]) =>
  parzenEstimator(observations, recencyWeights(observations[0]!.values.length));

describe('weights of trials', () => {
  it('are 1 for up to 25', () => {
    expect([...recencyWeights(0)]).to.eql([]);
    expect([...recencyWeights(25)]).to.eql([...ones(25)]);
  });

  it('rise in even steps from 1/n to 1 for those before the last 25', () => {
    expect([...recencyWeights(26)]).to.eql([1 / 26, ...ones(25)]);
    expect([...recencyWeights(28)]).to.eql([1 / 28, 0.5 * (1 + 1 / 28), 1, ...ones(25)]);
    expect(recencyWeights(1000)[974]).to.equal(1);
  });
});

describe('a Parzen estimator', () => {
  it('knows without observations only the prior: a bell over the range', () => {
    // mean 1, width 2, cut at one half width from the mean: mass erf(0.5 / sqrt 2) = 0.3829249225480262
    const at = probabilities(observed(floatDistribution(0, 2)), [1, 2]);
    const peak = 1 / Math.sqrt(2 * Math.PI) / 2 / 0.3829249225480262;
    expect(at[0]).to.be.closeTo(peak, 1e-14);
    expect(at[1]).to.be.closeTo(peak * Math.exp(-1 / 8), 1e-14);
  });

  it('gives choices that were not seen a share of what was', () => {
    // kernels (1 + 1/2, 1/2, 1/2) / 2.5 and 1/3 each, weights 1/2
    const choices = observed(categoricalDistribution(['a', 'b', 'c']), 0);
    const at = probabilities(choices, [0, 1, 2]);
    expect(at[0]).to.be.closeTo((0.6 + 1 / 3) / 2, 1e-15);
    expect(at[1]).to.be.closeTo((0.2 + 1 / 3) / 2, 1e-15);
    expect(at[1]).to.equal(at[2]);
  });

  it('is a product over the parameters within each kernel', () => {
    // two trials a and b; a together with 0 is likelier than a with 1, though each alone is as likely
    const letters = observed(categoricalDistribution(['a', 'b']), 0, 1);
    const digits = observed(categoricalDistribution(['0', '1']), 0, 1);
    const both = parzenEstimator([letters, digits], ones(2));
    const [hit, miss, flat] = [0.8, 0.2, 0.5];
    const at = [...both.logDensity([Float64Array.of(0, 0), Float64Array.of(0, 1)])].map(Math.exp);
    expect(at[0]).to.be.closeTo((hit * hit + miss * miss + flat * flat) / 3, 1e-15);
    expect(at[1]).to.be.closeTo((2 * hit * miss + flat * flat) / 3, 1e-15);
  });

  it('counts many far kernels that each count for nothing', () => {
    // 500 kernels of width 0.01 at 0.2, and the prior: at 7 widths from them each has e^-20 of its density
    const width = 0.01;
    const crowd = parzenEstimator(
      [observed(floatDistribution(0, 1), ...ones(500).fill(0.2))],
      ones(500),
    );
    for (const distance of [5, 6, 7, 8, 9]) {
      const x = 0.2 + distance * width;
      const bell = (mean: number, sd: number) =>
        Math.exp(logPdf((x - mean) / sd) - logMass(-mean / sd, (1 - mean) / sd)) / sd;
      const expected = Math.log((500 * bell(0.2, width) + bell(0.5, 1)) / 501);
      expect(crowd.logDensity([Float64Array.of(x)])[0]).to.be.closeTo(expected, 1e-13);
    }
  });

  const low = fc.integer({ min: -3, max: 3 });
  const steps = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 40 });

  it('has probability 1 over all steps', () => {
    fc.assert(
      fc.property(low, steps, fc.boolean(), (low, steps, log) => {
        const from = log ? low + 4 : low;
        const ints = intDistribution(from, from + 12, { log });
        const values = steps.map((step) => (log ? Math.log(from + step) : from + step));
        const all = Array.from({ length: 13 }, (_, i) => from + i);
        const sum = probabilities(observed(ints, ...values), all).reduce((a, b) => a + b);
        expect(sum).to.be.closeTo(1, 1e-12);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('has density 1 over a range', () => {
    fc.assert(
      fc.property(low, steps, fc.boolean(), (low, steps, log) => {
        const from = log ? low + 4 : low;
        const range = floatDistribution(from, from + 12, { log });
        const scale = log ? Math.log : (x: number) => x;
        const [begin, end] = [scale(from), scale(from + 12)];
        // Simpson's rule on the scale of the bells, whose least width is an 80th of the range.
        const points = Array.from({ length: 2001 }, (_, i) => begin + ((end - begin) * i) / 2000);
        const values = steps.map((step) => scale(from + step));
        const at = points.map((point) => (log ? Math.exp(point) : point));
        const inside = at.map((x) => Math.min(Math.max(x, from), from + 12));
        const densities = probabilities(observed(range, ...values), inside);
        const sum = densities.reduce((a, d, i) => a + d * (i % 2 ? 4 : i % 2000 ? 2 : 1), 0);
        expect((sum * (end - begin)) / 6000).to.be.closeTo(1, 1e-7);
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  it('draws values of the range only, more where more were seen', () => {
    const random = mersenneTwister(1);
    const values = Array.from({ length: 30 }, (_, i) => 2 + (i % 3) * 0.25);
    const drawn = estimator(observed(floatDistribution(0, 10, { step: 0.25 }), ...values));
    const [column] = drawn.sample(random, 500);
    expect([...column!].every((x) => x >= 0 && x <= 10 && Number.isInteger(x * 4))).to.equal(true);
    expect([...column!].filter((x) => x >= 1 && x <= 4).length).to.be.above(400);
  });

  it('takes observations outside of a range that moved', () => {
    const density = probabilities(observed(floatDistribution(0, 1), -5, 40, 0.5), [0, 0.5, 1]);
    expect(density.every((d) => d > 0 && Number.isFinite(d))).to.equal(true);
    const steps = probabilities(observed(intDistribution(0, 2), -500, 400, 1), [0, 1, 2]);
    expect(steps.reduce((a, b) => a + b)).to.be.closeTo(1, 1e-12);
  });
});

describe('a pairwise sum', () => {
  it('adds in eight lanes, by halves beyond 128, as numpy does', () => {
    // What lane 0 gathers is rounded before lane 1 comes in: 1 + 2^-53 is 1, and 2^-53 + 2^-53 is not 0.
    const tiny = 2 ** -53;
    const terms = Float64Array.from({ length: 16 }, (_, i) =>
      i === 0 ? 1 : i % 8 === 1 ? tiny : 0,
    );
    expect(pairwiseSum(terms)).to.equal(1 + 2 * tiny);
    expect(pairwiseSum(Float64Array.of(1, tiny, tiny))).to.equal(1);
    const halves = new Float64Array(136);
    halves[0] = 1;
    halves[64] = tiny;
    halves[72] = tiny;
    expect(pairwiseSum(halves)).to.equal(1 + 2 * tiny);
  });

  it('is the sum', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 700 }),
        (numbers) => {
          expect(pairwiseSum(Float64Array.from(numbers))).to.equal(
            numbers.reduce((a, b) => a + b, 0),
          );
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });
});
