import { expect } from 'chai';
import fc from 'fast-check';
import {
  calibrationBins,
  r2AgainstZero,
  rankCorrelation,
} from '../../../training/retrain/skill.ts';

const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

describe('retrain: rank correlation', () => {
  it('is the published coefficient for the ten people of the textbook example: -29/165', () => {
    // IQ against hours of television: https://en.wikipedia.org/wiki/Spearman%27s_rank_correlation_coefficient
    const iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110];
    const hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17];
    expect(rankCorrelation(iq, hours)).to.be.closeTo(-29 / 165, 1e-15);
  });

  it('gives tied values their mean rank, as scipy.stats.spearmanr documents', () => {
    expect(rankCorrelation([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).to.be.closeTo(
      0.8207826816681233,
      1e-15,
    );
    // by hand: ranks 0.5 0.5 2 3 and 0 2 2 2, deviations -1 -1 .5 1.5 and -1.5 .5 .5 .5: 2 / sqrt(4.5 * 3)
    expect(rankCorrelation([7, 7, 8, 9], [1, 4, 4, 4])).to.be.closeTo(2 / Math.sqrt(13.5), 1e-15);
  });

  it('reads order alone: any rising function of either side leaves it as it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
          minLength: 2,
          maxLength: 40,
        }),
        (pairs) => {
          const a = pairs.map(([x]) => x);
          const b = pairs.map(([, y]) => y);
          const straight = rankCorrelation(a, b);
          expect(rankCorrelation(a.map(Math.exp), b)).to.equal(straight);
          expect(
            rankCorrelation(
              a.map((x) => -x),
              b,
            ),
          ).to.be.closeTo(-straight, 1e-12);
          expect(Math.abs(straight)).to.be.at.most(1 + 1e-12);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it('is 0 where one side does not vary', () => {
    expect(rankCorrelation([3, 3, 3], [1, 2, 3])).to.equal(0);
    expect(rankCorrelation([1, 2, 3], [0, 0, 0])).to.equal(0);
  });
});

describe('retrain: R2 against zero', () => {
  it('is 1 for the labels themselves, 0 for zero, and falls below 0 for worse than zero', () => {
    const labels = [0.5, -1, 2];
    expect(r2AgainstZero(labels, labels)).to.equal(1);
    expect(r2AgainstZero([0, 0, 0], labels)).to.equal(0);
    expect(r2AgainstZero([-0.5, 1, -2], labels)).to.equal(-3);
  });

  it('does not subtract the mean of the labels, which nobody knows beforehand', () => {
    // errors 0, 1: 1 - 1 / (1 + 9); against the mean it would be 1 - 1 / 2
    expect(r2AgainstZero([1, 2], [1, 3])).to.be.closeTo(0.9, 1e-15);
  });

  it('is 0 for labels that are all zero', () => {
    expect(r2AgainstZero([1, 2], [0, 0])).to.equal(0);
  });
});

describe('retrain: calibration bins', () => {
  it('takes twenty rows two by two in the order of their predictions', () => {
    const predictions = Array.from({ length: 20 }, (_, i) => (i * 7) % 20);
    const labels = predictions.map((p) => 10 * p + 1);
    const bins = calibrationBins(predictions, labels);
    expect(bins).to.have.length(10);
    expect(bins[0]).to.deep.equal({ predicted: 0.5, realised: 6, rows: 2 });
    expect(bins[9]).to.deep.equal({ predicted: 18.5, realised: 186, rows: 2 });
  });

  it('loses no row and keeps the means, whatever the number of rows', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -5, max: 5 })),
          {
            minLength: 1,
            maxLength: 60,
          },
        ),
        (rows) => {
          const bins = calibrationBins(
            rows.map(([p]) => p),
            rows.map(([, l]) => l),
          );
          expect(bins.length).to.equal(Math.min(10, rows.length));
          const sizes = bins.map((bin) => bin.rows);
          expect(sum(sizes)).to.equal(rows.length);
          expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1);
          expect(sum(bins.map((bin) => bin.realised * bin.rows))).to.be.closeTo(
            sum(rows.map(([, l]) => l)),
            1e-9,
          );
          for (let i = 1; i < bins.length; i += 1) {
            expect(bins[i]!.predicted).to.be.at.least(bins[i - 1]!.predicted - 1e-15);
          }
        },
      ),
      { numRuns: 200, seed: 2 },
    );
  });
});
