// The standard normal distribution function and its inverse.
// cdf: Taylor series near zero and Laplace's continued fraction in the tails (Marsaglia 2004,
// "Evaluating the Normal Distribution"), relative error below 1e-13 down to the smallest normal double.
// quantile: Wichura 1988, algorithm AS 241, PPND16, relative error below 1e-14; coefficients as the doubles they round to.

import { SluiceError } from '../../core/index.ts';

/** Between them the series loses no digits to cancellation and the fraction converges fast. */
const tailFrom = 2.5;
const fractionTerms = 120;

/** Density of the standard normal at x. */
function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

/**
 * P(Z <= x) for a standard normal Z; also right, relatively, far in the lower tail.
 * @throws SluiceError `non_finite`
 */
export function normalCdf(x: number): number {
  if (!Number.isFinite(x)) {
    throw new SluiceError('non_finite', `normalCdf needs a finite argument; found ${x}.`);
  }
  if (x < -tailFrom) return upperTail(-x);
  if (x > tailFrom) return 1 - upperTail(x);
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-18; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + sum * normalDensity(x);
}

/** P(Z > x) for x >= tailFrom, the fraction summed from its end. */
function upperTail(x: number): number {
  let below = x;
  for (let k = fractionTerms; k >= 1; k -= 1) below = x + k / below;
  return normalDensity(x) / below;
}

const centreTop = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
  67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const centreBottom = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
  28729.085735721943, 5226.495278852854,
];
const middleTop = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
];
const middleBottom = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008,
  0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-9,
];
const farTop = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
  0.026532189526576124, 0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
];
const farBottom = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
  0.000018463183175100548, 1.421511758316446e-7, 2.0442631033899397e-15,
];

/**
 * The x with P(Z <= x) = p. For p near 1 use -normalQuantile(1 - p) with an exact 1 - p.
 * @throws SluiceError `out_of_range` unless 0 < p < 1
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) {
    throw new SluiceError('out_of_range', `A probability in (0, 1) is needed; found ${p}.`);
  }
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(centreTop, r)) / polynomial(centreBottom, r);
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const x =
    r <= 5
      ? polynomial(middleTop, r - 1.6) / polynomial(middleBottom, r - 1.6)
      : polynomial(farTop, r - 5) / polynomial(farBottom, r - 5);
  return q < 0 ? -x : x;
}

/** Coefficients from the constant term upwards. */
function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
}
