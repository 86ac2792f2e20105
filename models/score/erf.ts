// The standard normal distribution function as gelu needs it: near float64's own accuracy, and fast.
// Source: Cody 1969, "Rational Chebyshev approximations for the error function", Math. Comp. 23; relative error < 1e-15.

const nearTop = [
  0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694,
];
const nearBottom = [
  1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171,
];
const middleTop = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163,
  298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const middleBottom = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903,
  3290.7992357334597, 4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const farTop = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926,
  0.016083785148742275, 0.0006587491615298378,
];
const farBottom = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132,
  0.0023352049762686918,
];

/** x P(Z <= x) for a standard normal Z: the exact gelu. */
export function gelu(x: number): number {
  const z = x * Math.SQRT1_2;
  const size = Math.abs(z);
  if (size <= 0.46875) return 0.5 * x * (1 + z * ratio(nearTop, nearBottom, z * z));
  const tail = 0.5 * erfc(size);
  return x < 0 ? x * tail : x * (1 - tail);
}

/** 1 - erf(z) for z > 0.46875. */
function erfc(z: number): number {
  if (z <= 4) return Math.exp(-z * z) * ratio(middleTop, middleBottom, z);
  const inverse = 1 / (z * z);
  const series = inverse * ratio(farTop, farBottom, inverse);
  return (Math.exp(-z * z) / z) * (1 / Math.sqrt(Math.PI) - series);
}

/** Two polynomials of the same degree, coefficients from the highest power down. */
function ratio(top: readonly number[], bottom: readonly number[], x: number): number {
  let above = top[0]!;
  let below = bottom[0]!;
  for (let i = 1; i < top.length; i += 1) {
    above = above * x + top[i]!;
    below = below * x + bottom[i]!;
  }
  return above / below;
}
