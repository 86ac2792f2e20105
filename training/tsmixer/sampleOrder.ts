// The order of samples in an epoch, the same as the native engine's (philox.h): Philox4x32-10 gives the keys of a Feistel
// network over the next power of four, which is walked until it lands on a sample.

/**
 * Position in an epoch -> which of n samples stands there.
 * @param seed integer in [0, 2^53)
 * @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Black and Rogaway 2002 for the walk
 */
export function sampleOrder(seed: number, epoch: number, n: number): (position: number) => number {
  const keys = orderKeys(BigInt(seed), BigInt(epoch));
  let half = 1;
  while (4 ** half < n) half += 1;
  const mask = 2 ** half - 1;
  const permute = (x: number): number => {
    let left = x >>> half;
    let right = x & mask;
    for (const key of keys) [left, right] = [right, left ^ (mix(right ^ key) & mask)];
    return ((left << half) | right) >>> 0;
  };
  return (position) => {
    let x = permute(position);
    while (x >= n) x = permute(x);
    return x;
  };
}

/** The finaliser of MurmurHash3. */
function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

const word = 0xffffffffn;
/** Top byte of a counter's last word: what its draw is for. */
const orderUse = 2n << 24n;

/** [8] words of two blocks. */
function orderKeys(seed: bigint, epoch: bigint): number[] {
  const key = [seed & word, seed >> 32n] as const;
  const block = (i: bigint) => philox([epoch & word, epoch >> 32n, i, orderUse], key);
  return [...block(0n), ...block(1n)].map(Number);
}

type Words = readonly [bigint, bigint, bigint, bigint];

function philox(counter: Words, key: readonly [bigint, bigint]): Words {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round += 1) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & word, (p0 >> 32n) ^ c3 ^ k1, p0 & word];
    k0 = (k0 + 0x9e3779b9n) & word;
    k1 = (k1 + 0xbb67ae85n) & word;
  }
  return [c0, c1, c2, c3];
}
