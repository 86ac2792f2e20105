// Products of small float64 matrices: up to eight sums at a time, each in the order of the textbook's three loops.

/**
 * out = a b, all row-major.
 * @param a [m*k]
 * @param b [k*n]
 * @param out [m*n], overwritten; every number has the bits of a plain sum over k
 */
export function matrixProduct(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  [m, k, n]: readonly [m: number, k: number, n: number],
): void {
  const wide = n - (n % 4);
  const tall = m - (m % 2);
  for (let i = 0; i < tall; i += 2) {
    for (let j = 0; j < wide; j += 4) twoByFour(a, b, out, i, j, k, n);
  }
  if (tall < m) for (let j = 0; j < wide; j += 1) single(a, b, out, tall, j, k, n);
  const high = m - (m % 4);
  for (let j = wide; j < n; j += 1) {
    for (let i = 0; i < high; i += 4) fourByOne(a, b, out, i, j, k, n);
    for (let i = high; i < m; i += 1) single(a, b, out, i, j, k, n);
  }
}

function single(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  i: number,
  j: number,
  k: number,
  n: number,
): void {
  let sum = 0;
  for (let p = 0; p < k; p += 1) sum += a[i * k + p]! * b[p * n + j]!;
  out[i * n + j] = sum;
}

function fourByOne(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  i: number,
  j: number,
  k: number,
  n: number,
): void {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const first = i * k;
  for (let p = 0, at = j; p < k; p += 1, at += n) {
    const x = b[at]!;
    s0 += a[first + p]! * x;
    s1 += a[first + k + p]! * x;
    s2 += a[first + 2 * k + p]! * x;
    s3 += a[first + 3 * k + p]! * x;
  }
  const to = i * n + j;
  out[to] = s0;
  out[to + n] = s1;
  out[to + 2 * n] = s2;
  out[to + 3 * n] = s3;
}

function twoByFour(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  i: number,
  j: number,
  k: number,
  n: number,
): void {
  let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
  const upper = i * k;
  for (let p = 0, at = j; p < k; p += 1, at += n) {
    const x = a[upper + p]!;
    const y = a[upper + k + p]!;
    const b0 = b[at]!;
    const b1 = b[at + 1]!;
    const b2 = b[at + 2]!;
    const b3 = b[at + 3]!;
    s0 += x * b0;
    s1 += x * b1;
    s2 += x * b2;
    s3 += x * b3;
    t0 += y * b0;
    t1 += y * b1;
    t2 += y * b2;
    t3 += y * b3;
  }
  const first = i * n + j;
  out[first] = s0;
  out[first + 1] = s1;
  out[first + 2] = s2;
  out[first + 3] = s3;
  out[first + n] = t0;
  out[first + n + 1] = t1;
  out[first + n + 2] = t2;
  out[first + n + 3] = t3;
}
