// Sums in numpy's order. Choices may be equally good; how sums are rounded then decides which of them comes out best, and
// Optuna takes that one.

const block = 128;

/** Sum of numbers from `start` to before `end`: in eight lanes up to 128 of them, by halves beyond. */
export function pairwiseSum(terms: Float64Array, start = 0, end = terms.length): number {
  const count = end - start;
  if (count > block) {
    const middle = start + ((count >> 4) << 3);
    return pairwiseSum(terms, start, middle) + pairwiseSum(terms, middle, end);
  }
  const inLanes = start + (count & ~7);
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = start; i < inLanes; i += 8) {
    a += terms[i]!;
    b += terms[i + 1]!;
    c += terms[i + 2]!;
    d += terms[i + 3]!;
    e += terms[i + 4]!;
    f += terms[i + 5]!;
    g += terms[i + 6]!;
    h += terms[i + 7]!;
  }
  let sum = a + b + (c + d) + (e + f + (g + h));
  for (let i = inLanes; i < end; i += 1) sum += terms[i]!;
  return sum;
}
