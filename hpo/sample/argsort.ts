// The order of numbers, as numpy's `argsort` leaves it. Where numbers are equal, its order is no rule but an accident of the
// algorithm; Optuna's kernel widths depend on it, so the algorithm is followed: quicksort by the median of three (Sedgewick
// 1978), short parts by insertion. numpy's escape from its quadratic cases is left out: no study orders its trials so.
// numpy has other orders of equals on CPUs with AVX2 or AVX-512, and Optuna other suggestions; this is the portable one.

/** Parts with more numbers than this are parted. */
const smallest = 16;

/** Positions of `values` in ascending order. */
export function argsort(values: Float64Array): Int32Array {
  const order = new Int32Array(values.length);
  for (let i = 0; i < order.length; i += 1) order[i] = i;
  quicksort(values, order);
  return order;
}

function quicksort(values: Float64Array, order: Int32Array): void {
  const pending: [first: number, last: number][] = [[0, order.length - 1]];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    let [first, last] = part;
    while (last - first >= smallest) {
      const pivot = partition(values, order, first, last);
      if (pivot - first < last - pivot) {
        pending.push([pivot + 1, last]);
        last = pivot - 1;
      } else {
        pending.push([first, pivot - 1]);
        first = pivot + 1;
      }
    }
    insertionSort(values, order, first, last);
  }
}

/** Parts [first, last] by the median of three, and returns where that came to stand. */
function partition(values: Float64Array, order: Int32Array, first: number, last: number): number {
  const middle = first + ((last - first) >> 1);
  if (values[order[middle]!]! < values[order[first]!]!) swap(order, middle, first);
  if (values[order[last]!]! < values[order[middle]!]!) swap(order, last, middle);
  if (values[order[middle]!]! < values[order[first]!]!) swap(order, middle, first);
  const pivot = values[order[middle]!]!;
  swap(order, middle, last - 1);
  let i = first;
  let j = last - 1;
  for (;;) {
    do i += 1;
    while (values[order[i]!]! < pivot);
    do j -= 1;
    while (pivot < values[order[j]!]!);
    if (i >= j) break;
    swap(order, i, j);
  }
  swap(order, i, last - 1);
  return i;
}

function insertionSort(values: Float64Array, order: Int32Array, first: number, last: number): void {
  for (let i = first + 1; i <= last; i += 1) {
    const moved = order[i]!;
    const value = values[moved]!;
    let j = i;
    for (; j > first && value < values[order[j - 1]!]!; j -= 1) order[j] = order[j - 1]!;
    order[j] = moved;
  }
}

function swap(order: Int32Array, i: number, j: number): void {
  const kept = order[i]!;
  order[i] = order[j]!;
  order[j] = kept;
}
