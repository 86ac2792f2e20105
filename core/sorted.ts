// Places in sorted numbers.

/** First place whose number is not below `value`; the length if there is none. */
export const lowerBound = (sorted: Float64Array, value: number): number =>
  firstThat(sorted, (number) => number >= value);

/** First place whose number is above `value`; the length if there is none. */
export const upperBound = (sorted: Float64Array, value: number): number =>
  firstThat(sorted, (number) => number > value);

/** By bisection: the condition holds from some place on. */
function firstThat(sorted: Float64Array, holds: (number: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
