// Decimal arithmetic on the shortest text of a number, as Python's `Decimal(str(x))` does it: 0.1 is a tenth.

/** A number as digits x 10^-scale. */
function parts(value: number): { digits: bigint; scale: number } {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), scale: fraction.length - Number(exponent) };
}

/**
 * The last number low + k * step that is not above high.
 * @param low finite; high finite and not below low; step finite and positive
 */
export function lastStep(low: number, high: number, step: number): number {
  const numbers = [parts(low), parts(high), parts(step)];
  const scale = Math.max(0, ...numbers.map((number) => number.scale));
  const [first, end, width] = numbers.map(
    (number) => number.digits * 10n ** BigInt(scale - number.scale),
  ) as [bigint, bigint, bigint];
  const range = end - first;
  if (range % width === 0n) return high;
  return Number(`${(range / width) * width + first}e-${scale}`);
}
