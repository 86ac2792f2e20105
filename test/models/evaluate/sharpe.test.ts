import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom } from '../../../core/index.ts';
import {
  deflatedSharpe,
  effectiveTrials,
  expectedMaxNormal,
  minTrackRecordLength,
  minTrackRecordLength2025,
  normalCdf,
  normalQuantile,
  probabilisticSharpe,
  probabilisticSharpe2025,
  type SharpeMoments,
  sharpeMoments,
  trialSpread,
} from '../../../models/evaluate/index.ts';
import { codeOf, golden } from './golden.ts';

describe('the normal distribution', () => {
  it('agrees with 50-digit arithmetic to 1e-13, relatively, tails included', () => {
    for (const [x, expected] of golden.cdf) {
      expect(normalCdf(x) / expected).to.be.closeTo(1, 1e-13);
    }
    for (const [p, expected] of golden.quantile) {
      expect(normalQuantile(p) / expected).to.be.closeTo(1, 1e-13);
    }
    expect(normalCdf(0)).to.equal(0.5);
    expect(normalQuantile(0.5)).to.equal(0);
  });

  it('is its own inverse and never decreases', () => {
    const property = fc.property(
      fc.double({ min: -8, max: 4, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (x, step) => {
        // The density amplifies what rounding cost the probability: 1e-16 / density(4) = 1e-12.
        expect(normalQuantile(normalCdf(x))).to.be.closeTo(x, 2e-12);
        expect(normalCdf(x + step)).to.be.at.least(normalCdf(x) * (1 - 1e-13));
      },
    );
    fc.assert(property, { seed: 1, numRuns: 2000 });
  });

  it('refuses what is no probability and no number', () => {
    for (const p of [0, 1, -0.1, 1.1, Number.NaN]) {
      expect(codeOf(() => normalQuantile(p))).to.equal('out_of_range');
    }
    expect(codeOf(() => normalCdf(Number.NaN))).to.equal('non_finite');
    expect(codeOf(() => normalCdf(Number.POSITIVE_INFINITY))).to.equal('non_finite');
  });
});

describe('moments of daily returns', () => {
  const days = Float64Array.from(
    { length: 60 },
    (_, i) => (((i * i * 7) % 23) - 9) / 1024 + (i % 19 === 5 ? 0.0625 : 0),
  );

  it('are those of scipy: Sharpe with ddof 1, skew and non-excess kurtosis with ddof 0', () => {
    const moments = sharpeMoments(days)!;
    for (const key of ['n', 'sharpe', 'skew', 'kurtosis', 'autocorrelation'] as const) {
      expect(moments[key], key).to.be.closeTo(golden.moments[key], 1e-12);
    }
  });

  it('are undefined, not NaN, for an arm that never traded and for less than two days', () => {
    expect(sharpeMoments(new Float64Array(30))).to.equal(null);
    // The deviation of equal values from their rounded mean is not 0, so the range must tell.
    expect(sharpeMoments(new Float64Array(30).fill(0.1))).to.equal(null);
    expect(sharpeMoments(Float64Array.of(0.1))).to.equal(null);
    expect(sharpeMoments(new Float64Array())).to.equal(null);
  });

  it('refuse NaN and infinities', () => {
    expect(codeOf(() => sharpeMoments(Float64Array.of(0, Number.NaN)))).to.equal('non_finite');
    expect(codeOf(() => sharpeMoments(Float64Array.of(0, -1 / 0, 1)))).to.equal('non_finite');
  });
});

/** The example of the 2014 paper: annual Sharpe 2.5 over five years of days. */
const paper2014: SharpeMoments = {
  n: 1250,
  sharpe: 2.5 / Math.sqrt(250),
  skew: -3,
  kurtosis: 10,
  autocorrelation: 0,
};
/** The example of the 2025 paper: two years of months. */
const paper2025: SharpeMoments = {
  n: 24,
  sharpe: 0.036 / 0.079,
  skew: -2.448,
  kurtosis: 10.164,
  autocorrelation: 0,
};

describe('published examples, to four decimals', () => {
  it('deflated Sharpe ratio of 2014: 0.9004 after 100 trials, 0.9505 after 46', () => {
    const deflated = deflatedSharpe(paper2014, { count: 100, sharpeVariance: 0.5 / 250 });
    expect(deflated.version).to.equal('dsr_2014_v1');
    expect(deflated.benchmark_sharpe).to.be.closeTo(0.1132, 5e-5);
    expect(deflated.probability).to.be.closeTo(0.9004, 5e-5);
    const fewer = deflatedSharpe(paper2014, { count: 46, sharpeVariance: 0.5 / 250 });
    expect(fewer.probability).to.be.closeTo(0.9505, 5e-5);
  });

  it('probabilistic Sharpe ratio: 0.9127 by the form of 2012; 0.987 and 0.939 by that of 2025', () => {
    expect(probabilisticSharpe(paper2025).probability).to.be.closeTo(0.9127, 5e-5);
    expect(probabilisticSharpe2025(paper2025).probability).to.be.closeTo(0.987, 5e-4);
    expect(probabilisticSharpe2025(paper2025, 0.1).probability).to.be.closeTo(0.939, 5e-4);
  });

  it('minimum track record: 34.761 by the form of 2012, 13.029 by that of 2025', () => {
    expect(minTrackRecordLength(paper2025).days).to.be.closeTo(34.761, 5e-4);
    expect(minTrackRecordLength2025(paper2025).days).to.be.closeTo(13.029, 5e-4);
  });

  it('expected largest of N normals: 1.574598, 2.530603, 3.255122 for 10, 100, 1000', () => {
    expect(expectedMaxNormal(10)).to.be.closeTo(1.574598, 5e-7);
    expect(expectedMaxNormal(100)).to.be.closeTo(2.530603, 5e-7);
    expect(expectedMaxNormal(1000)).to.be.closeTo(3.255122, 5e-7);
  });
});

describe('PSR and MinTRL', () => {
  const momentsOf = (seed: number): SharpeMoments => {
    const random = createRandom(seed);
    const days = Float64Array.from({ length: 200 }, () => 0.01 * random.normal() + 0.002);
    return sharpeMoments(days)!;
  };

  it('are two readings of one test: a record as long as MinTRL has exactly that PSR', () => {
    const property = fc.property(
      fc.nat(),
      fc.double({ min: 0.55, max: 0.999, noNaN: true }),
      (seed, confidence) => {
        const moments = momentsOf(seed);
        fc.pre(moments.sharpe > 0.01);
        const old = minTrackRecordLength(moments, { confidence });
        const psr = probabilisticSharpe({ ...moments, n: Math.max(2, old.days as number) });
        if ((old.days as number) > 2) expect(psr.probability).to.be.closeTo(confidence, 1e-9);
        const recent = minTrackRecordLength2025(moments, { confidence });
        const psr2025 = probabilisticSharpe2025({
          ...moments,
          n: Math.max(2, recent.days as number),
        });
        if ((recent.days as number) > 2)
          expect(psr2025.probability).to.be.closeTo(confidence, 1e-9);
      },
    );
    fc.assert(property, { seed: 2, numRuns: 300 });
  });

  it('say that no length would do when the ratio is not above the benchmark', () => {
    const rule = { benchmarkSharpe: paper2025.sharpe };
    expect(minTrackRecordLength(paper2025, rule).days).to.equal('infinite');
    expect(minTrackRecordLength({ ...paper2025, sharpe: -0.1 }).days).to.equal('infinite');
    expect(minTrackRecordLength2025({ ...paper2025, sharpe: 0 }).days).to.equal('infinite');
  });

  it('ask for a longer record of autocorrelated returns, by the form of 2025 only', () => {
    const sticky = { ...paper2025, autocorrelation: 0.5 };
    // At a benchmark of 0 only the first factor counts: (1 + r) / (1 - r) = 3.
    const days = minTrackRecordLength2025(paper2025).days as number;
    expect(minTrackRecordLength2025(sticky).days).to.be.closeTo(3 * days, 1e-9);
    expect(minTrackRecordLength(sticky).days).to.equal(minTrackRecordLength(paper2025).days);
    // Elsewhere all three count: 3 - (1 + 1 + 1/3) skew SR + (5/3) (kurtosis - 1)/4 SR^2.
    const variance = 3 + (7 / 3) * 2.448 * 0.1 + ((5 / 3) * 9.164 * 0.01) / 4;
    const expected = normalCdf(((paper2025.sharpe - 0.1) * Math.sqrt(24)) / Math.sqrt(variance));
    expect(probabilisticSharpe2025(sticky, 0.1).probability).to.be.closeTo(expected, 1e-12);
  });

  it('refuse moments that belong to no distribution', () => {
    const wrong = (change: Partial<SharpeMoments>) => [
      codeOf(() => probabilisticSharpe({ ...paper2025, ...change })),
      codeOf(() => probabilisticSharpe2025({ ...paper2025, ...change }, 0.5)),
      codeOf(() => minTrackRecordLength({ ...paper2025, ...change })),
    ];
    const all = (code: string) => [code, code, code];
    expect(wrong({ kurtosis: 0.9 })).to.deep.equal(all('out_of_range'));
    expect(wrong({ n: 1 })).to.deep.equal(all('out_of_range'));
    expect(wrong({ autocorrelation: 1 })).to.deep.equal(all('out_of_range'));
    expect(wrong({ skew: Number.NaN })).to.deep.equal(all('non_finite'));
    expect(wrong({ sharpe: Number.POSITIVE_INFINITY })).to.deep.equal(all('non_finite'));
    // Radicand 1 - 4 x 0.5 + (2 - 1)/4 x 0.25 < 0: such a skew needs a larger kurtosis.
    const impossible = { ...paper2025, sharpe: 0.5, skew: 4, kurtosis: 2 };
    expect(codeOf(() => probabilisticSharpe(impossible))).to.equal('out_of_range');
    expect(codeOf(() => minTrackRecordLength(impossible))).to.equal('out_of_range');
    for (const confidence of [0.5, 1, Number.NaN]) {
      expect(codeOf(() => minTrackRecordLength(paper2025, { confidence }))).to.equal(
        'out_of_range',
      );
    }
  });
});

describe('the deflated Sharpe ratio', () => {
  it('of a single trial is the PSR against 0', () => {
    const single = deflatedSharpe(paper2014, trialSpread(Float64Array.of(0.3)));
    expect(single.benchmark_sharpe).to.equal(0);
    expect(single.probability).to.equal(probabilisticSharpe(paper2014).probability);
  });

  it('falls with every further trial', () => {
    const at = (count: number) => deflatedSharpe(paper2014, { count, sharpeVariance: 0.002 });
    const counts = [1, 1.01, 1.5, 2, 3, 10, 100, 1e4, 1e8, 1e20];
    const found = counts.map((count) => at(count).probability);
    expect(found).to.deep.equal(found.toSorted((a, b) => b - a));
    expect(found[0]).to.be.greaterThan(found.at(-1)!);
  });

  it('takes the variance of the trials with ddof 1', () => {
    const spread = trialSpread(Float64Array.of(0.25, 0.5, 1.5));
    expect(spread).to.deep.equal({
      count: 3,
      sharpeVariance: (0.5 ** 2 + 0.25 ** 2 + 0.75 ** 2) / 2,
    });
  });

  it('refuses no trials and impossible spreads', () => {
    expect(codeOf(() => trialSpread(new Float64Array()))).to.equal('out_of_range');
    expect(codeOf(() => trialSpread(Float64Array.of(Number.NaN)))).to.equal('non_finite');
    for (const count of [0, 0.9, Number.NaN, Number.POSITIVE_INFINITY]) {
      const spread = { count, sharpeVariance: 0.1 };
      expect(codeOf(() => deflatedSharpe(paper2014, spread))).to.equal('out_of_range');
    }
    const negative = { count: 2, sharpeVariance: -1 };
    expect(codeOf(() => deflatedSharpe(paper2014, negative))).to.equal('out_of_range');
  });

  it('agrees with a simulation of the luckiest of N', () => {
    const random = createRandom(7);
    for (const count of [5, 50]) {
      let total = 0;
      for (let round = 0; round < 4000; round += 1) {
        let best = Number.NEGATIVE_INFINITY;
        for (let i = 0; i < count; i += 1) best = Math.max(best, random.normal());
        total += best;
      }
      // The approximation is good to 0.04 from N = 5 on; the simulation's error is below 0.012.
      expect(total / 4000).to.be.closeTo(expectedMaxNormal(count), 0.055);
    }
  });
});

describe('the effective number of trials', () => {
  const series = (seed: number, days: number): Float64Array => {
    const random = createRandom(seed);
    return Float64Array.from({ length: days }, () => random.normal());
  };

  it('rests on the mean of all pairwise correlations', () => {
    const returns = Float64Array.from({ length: 240 }, (_, at) => {
      const [i, t] = [Math.floor(at / 40), at % 40];
      return ((((i + 3) * (t + 1) * (t + i)) % 17) - 8) / 1024;
    });
    const found = effectiveTrials(returns, 6);
    expect(found.mean_correlation).to.be.closeTo(golden.mean_correlation, 1e-12);
    const r = Math.max(0, golden.mean_correlation);
    expect(found.effective).to.be.closeTo(r + (1 - r) * 6, 1e-12);
  });

  it('is 1 for copies, near M for strangers, M for idle or opposed ones', () => {
    const one = series(1, 500);
    const copies = Float64Array.from([...one, ...one, ...one]);
    expect(effectiveTrials(copies, 3).effective).to.be.closeTo(1, 1e-12);
    expect(effectiveTrials(series(2, 8 * 500), 8).effective).to.be.closeTo(8, 0.5);
    expect(effectiveTrials(new Float64Array(30), 3).effective).to.equal(3);
    const opposed = Float64Array.from([...one, ...one.map((value) => -value)]);
    expect(effectiveTrials(opposed, 2).effective).to.equal(2);
    expect(effectiveTrials(one, 1).effective).to.equal(1);
    // Of three pairs one correlates fully: r = 1/3.
    const mixed = Float64Array.from([...one, ...one, ...new Float64Array(500)]);
    expect(effectiveTrials(mixed, 3).effective).to.be.closeTo(1 / 3 + (2 / 3) * 3, 1e-12);
  });

  it('refuses ragged, empty and non-finite input', () => {
    expect(codeOf(() => effectiveTrials(new Float64Array(7), 2))).to.equal('length_mismatch');
    expect(codeOf(() => effectiveTrials(new Float64Array(2), 2))).to.equal('length_mismatch');
    expect(codeOf(() => effectiveTrials(new Float64Array(0), 0))).to.equal('out_of_range');
    const bad = Float64Array.of(1, 2, Number.NaN, 4);
    expect(codeOf(() => effectiveTrials(bad, 2))).to.equal('non_finite');
  });
});
