// The natural logarithm rounded correctly. Math.log may be an ulp off, and where a quotient of logarithms is floored to
// count brackets that ulp is a bracket: log(243) / log(3) is 5 in V8 and 4.999999999999999 where logarithms are exact.

const bits = 160n;
const one = 1n << bits;

/**
 * Double nearest to the natural logarithm of a number.
 * @param x finite, positive
 */
export function exactLog(x: number): number {
  let exponent = Math.floor(Math.log2(x));
  // log2 rounds too, up to the next power of two
  if (x < 2 ** exponent) exponent -= 1;
  // exact: divided by a power of two, 53 bits behind the point
  const mantissa = BigInt((x / 2 ** exponent) * 2 ** 53) << (bits - 53n);
  const log = BigInt(exponent) * fixedLog(2n * one) + fixedLog(mantissa);
  // both steps round to nearest at most once: the division is by a power of two
  return Number(log) / 2 ** Number(bits);
}

/** ln x = 2 artanh((x - 1) / (x + 1)), in fixed point with `bits` bits; x in [1, 2], so that shifts round towards 0. */
function fixedLog(x: bigint): bigint {
  const y = ((x - one) << bits) / (x + one);
  const squared = (y * y) >> bits;
  let sum = 0n;
  let power = y;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += power / k;
    power = (power * squared) >> bits;
  }
  return 2n * sum;
}
