// CSCV as the paper words it: for each combination, join the rows of each half, take mean and deviation
// of every configuration over them, rank. The measure of the fast program, in tests and in bench/pbo.ts.

const volFloor = 1e-8;

/** Every choice of `size` of 0..count-1, lexicographic. */
export function* combinations(count: number, size: number, from = 0): Generator<number[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let first = from; first <= count - size; first += 1) {
    for (const rest of combinations(count, size - 1, first + 1)) yield [first, ...rest];
  }
}

/** Logit and both Sharpe ratios of the chosen configuration for one in-sample choice of blocks. */
export function slowOutcome(
  returns: Float64Array,
  configs: number,
  blocks: number,
  inSample: readonly number[],
): { logit: number; inside: number; outside: number } {
  const days = returns.length / configs;
  const blockDays = Math.floor(days / blocks);
  const dropped = days - blockDays * blocks;
  const rows = (chosen: (block: number) => boolean): number[] =>
    Array.from({ length: blockDays * blocks }, (_, t) => t)
      .filter((t) => chosen(Math.floor(t / blockDays)))
      .map((t) => t + dropped);
  const inRows = rows((block) => inSample.includes(block));
  const outRows = rows((block) => !inSample.includes(block));
  const sharpes = (part: readonly number[]): number[] =>
    Array.from({ length: configs }, (_, config) => sharpe(returns, config * days, part));
  const inside = sharpes(inRows);
  const outside = sharpes(outRows);
  const best = inside.indexOf(Math.max(...inside));
  const less = outside.filter((value) => value < outside[best]!).length;
  const equal = outside.filter((value) => value === outside[best]!).length;
  const rank = less + (equal + 1) / 2;
  // ln(w / (1 - w)) with w = rank / (configs + 1), as exact odds: so logits can be compared bit by bit.
  const logit = Math.log(rank / (configs + 1 - rank));
  return { logit, inside: inside[best]!, outside: outside[best]! };
}

function sharpe(returns: Float64Array, offset: number, rows: readonly number[]): number {
  let sum = 0;
  for (const t of rows) sum += returns[offset + t]!;
  const mean = sum / rows.length;
  let squares = 0;
  for (const t of rows) squares += (returns[offset + t]! - mean) ** 2;
  return mean / Math.max(volFloor, Math.sqrt(squares / (rows.length - 1)));
}
