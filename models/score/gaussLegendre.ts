// Gauss-Legendre quadrature on [0, 1]: n points integrate polynomials of degree 2n - 1 exactly.
// Source: Abramowitz and Stegun 25.4.29; roots of the Legendre polynomial by Newton's method.

/** Points in (0, 1) and weights that add up to 1. */
export interface Quadrature {
  readonly points: Float64Array;
  readonly weights: Float64Array;
}

/** @param n number of points, at least 1 */
export function gaussLegendre(n: number): Quadrature {
  const points = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i += 1) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    for (let step = Number.POSITIVE_INFINITY; Math.abs(step) > 1e-15; x -= step) {
      const { value, slope } = legendre(n, x);
      step = value / slope;
    }
    points[i] = (1 - x) / 2;
    weights[i] = 1 / ((1 - x * x) * legendre(n, x).slope ** 2);
  }
  return { points, weights };
}

function legendre(n: number, x: number): { readonly value: number; readonly slope: number } {
  let [before, value] = [1, x];
  for (let k = 2; k <= n; k += 1) {
    [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
  }
  return { value, slope: (n * (before - x * value)) / (1 - x * x) };
}
