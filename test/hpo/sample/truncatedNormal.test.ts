// Against mpmath with 60 digits. Tolerances in units of 2^-52: what the formula itself must lose, times a few.

import { expect } from 'chai';
import fc from 'fast-check';
import { erf, erfc } from '../../../hpo/sample/erf.ts';
import {
  inverseLogCdf,
  logCdf,
  logMass,
  logPdf,
  quantile,
} from '../../../hpo/sample/truncatedNormal.ts';
import { numerics } from './numerics.ts';

const ulp = Number.EPSILON;

function expectNear(found: number, expected: number, tolerance: number, what: string): void {
  const difference = Math.abs(found - expected);
  if (!(difference <= tolerance)) expect.fail(`${what}: ${found}, not ${expected}`);
}

describe('the error function', () => {
  it('is within two units of its last place, and so is its complement', () => {
    for (const [x, ofX, complement, ofMinusX] of numerics.erf) {
      expectNear(erf(x), ofX, 2 * ulp * ofX, `erf(${x})`);
      expectNear(erf(-x), -ofX, 2 * ulp * ofX, `erf(-${x})`);
      expectNear(erfc(x), complement, 2 * ulp * complement, `erfc(${x})`);
      expectNear(erfc(-x), ofMinusX, 2 * ulp * ofMinusX, `erfc(-${x})`);
    }
  });

  it('ends at its limits', () => {
    expect([erf(Number.POSITIVE_INFINITY), erf(Number.NEGATIVE_INFINITY)]).to.eql([1, -1]);
    expect([erfc(40), erfc(-40)]).to.eql([0, 2]);
    expect([erf(Number.NaN), erfc(Number.NaN)]).to.eql([Number.NaN, Number.NaN]);
  });
});

describe('the normal distribution', () => {
  it('has a density that is known at 0 and at 2', () => {
    expectNear(logPdf(0), -0.9189385332046727, ulp, 'log density at 0');
    expectNear(logPdf(2), -2.9189385332046727, 2 * ulp, 'log density at 2');
  });

  it('has the logarithm of its distribution function far into the tails', () => {
    for (const [x, expected] of numerics.logCdf) {
      // The logarithm of a number near 1 has the absolute error of that number.
      expectNear(logCdf(x), expected, 4 * ulp * Math.max(1, -expected), `logCdf(${x})`);
    }
  });

  it('has the logarithm of its mass in a range', () => {
    for (const [a, b, expected] of numerics.logMass) {
      // In a tail the difference of two values, of which the greater has the error of exp(-edge^2 / 2); else of 1 and two.
      const edge = a > 0 ? -a : b;
      const tolerance =
        edge <= 0
          ? (8 + 2 * edge * edge) * ulp * Math.exp(logCdf(edge) - expected)
          : (8 * ulp) / Math.exp(expected);
      expectNear(logMass(a, b), expected, tolerance, `logMass(${a}, ${b})`);
    }
  });

  it('keeps its mass whole where nothing is cut off', () => {
    expect(logMass(-9.5, 9.5)).to.equal(0);
    expect(logMass(-Infinity, Infinity)).to.equal(0);
  });

  it('is mirrored about 0', () => {
    const number = fc.double({ min: -45, max: 45, noNaN: true });
    fc.assert(
      fc.property(number, number, (x, y) => {
        const [a, b] = [Math.min(x, y), Math.max(x, y)];
        fc.pre(b - a > 1e-3);
        expectNear(logMass(-b, -a), logMass(a, b), 1e-12 * Math.max(1, -logMass(a, b)), 'mirror');
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});

describe('quantiles of the cut normal distribution', () => {
  it('are those of mpmath', () => {
    for (const [q, a, b, expected] of numerics.quantile) {
      // The error of the logarithm of the distribution function to its left, or right, divided by that function's slope.
      const side = a < 0 ? expected : -expected;
      const slope = Math.exp(logPdf(side) - logCdf(side));
      const tolerance =
        (4 * ulp * Math.max(1, -logCdf(side))) / slope + 4 * ulp * Math.abs(expected);
      expectNear(quantile(q, a, b), expected, tolerance, `quantile(${q}, ${a}, ${b})`);
    }
  });

  it('begin and end with the range', () => {
    expect([quantile(0, -2, 3), quantile(1, -2, 3)]).to.eql([-2, 3]);
  });

  it('invert the logarithm of the distribution function', () => {
    const x = fc.double({ min: -40, max: 6, noNaN: true });
    fc.assert(
      fc.property(x, (x) => {
        const slope = Math.exp(logPdf(x) - logCdf(x));
        const error = (8 * ulp * Math.max(1, -logCdf(x))) / slope;
        expectNear(inverseLogCdf(logCdf(x)), x, error + 4 * ulp * Math.abs(x), `x = ${x}`);
      }),
      { numRuns: 500, seed: 2 },
    );
  });
});
