// The normal distribution cut to an interval: logarithms of its mass and its quantiles, exact far into the tails.
// The cases are those that Optuna distinguishes (after SciPy), and hold to the rounding that its suggestions depend on.

import { erf, erfc } from './erf.ts';

/** Logarithm of the square root of 2 pi. */
export const logRootTwoPi = Math.log(Math.sqrt(2 * Math.PI));

/** Logarithm of the density of the standard normal distribution. */
export const logPdf = (x: number): number => -(x * x) / 2 - logRootTwoPi;

/** Logarithm of the distribution function of the standard normal distribution. */
export function logCdf(x: number): number {
  if (x > 6) return -cdf(-x);
  if (x > -20) return Math.log(cdf(x));
  return -0.5 * x * x - Math.log(-x) - logRootTwoPi + Math.log(tailSeries(x));
}

function cdf(x: number): number {
  const z = x / Math.SQRT2;
  if (z < -Math.SQRT1_2) return 0.5 * erfc(-z);
  if (z < Math.SQRT1_2) return 0.5 + 0.5 * erf(z);
  return 1 - 0.5 * erfc(z);
}

/** 1 - 1/x^2 + 3/x^4 - 15/x^6 ...: what the tail is times its first term; converges before it diverges if x < -20. */
function tailSeries(x: number): number {
  const factor = -1 / (x * x);
  let term = 1;
  let sum = 1;
  for (let i = 1; Math.abs(term) > Number.EPSILON; i += 1) {
    term *= factor * (2 * i - 1);
    sum += term;
  }
  return sum;
}

/** Logarithm of the standard normal distribution's mass in [a, b]. */
export function logMass(a: number, b: number): number {
  if (b <= 0) return logMassLeft(a, b);
  if (a > 0) return logMassLeft(-b, -a);
  if (a < -9 && b > 9) return 0;
  return Math.log1p(-centralCdf(a) - centralCdf(-b));
}

/** As {@link logMass} with b <= 0: from the logarithms only where the numbers themselves would vanish. */
function logMassLeft(a: number, b: number): number {
  return b > -37 ? Math.log(cdf(b) - cdf(a)) : logDifference(logCdf(b), logCdf(a));
}

/** Distribution function to absolute precision only, which is what the middle needs. */
const centralCdf = (x: number): number => 0.5 + 0.5 * erf(x / Math.SQRT2);

/** log(exp(p) - exp(q)). */
const logDifference = (p: number, q: number): number => p + Math.log1p(-Math.exp(q - p));

/** log(exp(p) + exp(q)). */
function logSum(p: number, q: number): number {
  if (p === q) return p + Math.LN2;
  return Math.max(p, q) + Math.log1p(Math.exp(-Math.abs(p - q)));
}

/**
 * Quantile of the standard normal distribution cut to [a, b].
 * @param q share of the mass below, 0 to 1
 */
export function quantile(q: number, a: number, b: number): number {
  if (q === 0) return a;
  if (q === 1) return b;
  const mass = logMass(a, b);
  if (a < 0) return inverseLogCdf(logSum(logCdf(a), Math.log(q) + mass));
  return -inverseLogCdf(logSum(logCdf(-b), Math.log1p(-q) + mass));
}

/** The x of which `y` is the {@link logCdf}: Halley's method from Hastings' approximation. */
export function inverseLogCdf(y: number): number {
  // Close to 1 the logarithm holds few digits of what is missing: the upper half is solved mirrored.
  const mirrored = y > -Math.LN2;
  const target = mirrored ? Math.log(-Math.expm1(y)) : y;
  let x = approximateQuantile(target);
  for (let step = 0; step < 100; step += 1) {
    const reached = logCdf(x);
    const slope = Math.exp(logPdf(x) - reached);
    const newton = (reached - target) / slope;
    const change = newton / (1 + (newton * (x + slope)) / 2);
    x -= change;
    // What remains is of the order of the change's third power.
    if (Math.abs(change) < 1e-6) break;
  }
  return mirrored ? -x : x;
}

/**
 * Quantile of the lower half of the standard normal distribution to within 0.0005.
 * @source Hastings 1955, sheet 68; Abramowitz and Stegun, 26.2.23
 */
function approximateQuantile(logProbability: number): number {
  const t = Math.sqrt(-2 * logProbability);
  return (
    (2.515517 + t * (0.802853 + t * 0.010328)) /
      (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
    t
  );
}
