// PBO by combinatorially symmetric cross-validation: how often the configuration that looks best in one
// half of the time ranks below the median in the other. Bailey, Borwein, Lopez de Prado and Zhu 2017,
// "The probability of backtest overfitting". Sharpe ratios of a half come from block sums of returns and
// of their squares, so a combination costs additions, not passes over the returns.

import { SluiceError } from '../../core/index.ts';
import { checkFinite } from './sharpeMoments.ts';

/** Daily deviations below this are no risk but rounding; an idle configuration then scores 0, not NaN. */
const volFloor = 1e-8;
const maxBlocks = 20;

/** Goes into reports as it is. */
export interface BacktestOverfitting {
  readonly version: 'pbo_cscv_v1';
  /** share of logits <= 0 */
  readonly pbo: number;
  /** share of logits < 0; other programs count so */
  readonly pbo_strict: number;
  /** share of combinations in which the chosen configuration lost money in the other half */
  readonly oos_loss_probability: number;
  /** least-squares slope of the chosen one's Sharpe in the other half on that in its own; null if undefined */
  readonly slope: number | null;
  readonly configs: number;
  readonly blocks: number;
  readonly combinations: number;
  readonly days_used: number;
  /** oldest days left out, so that all blocks are of one length */
  readonly days_dropped: number;
  /** [combinations] in-sample choices in lexicographic order; ln(w / (1 - w)), w = rank / (configs + 1), ties averaged */
  readonly logits: readonly number[];
}

/**
 * PBO with the per-day Sharpe ratio (ddof = 1) as performance. Of configurations with equal in-sample
 * performance the first is chosen.
 * @param returns [N*T] configuration-major daily returns
 * @param blocks S, even; T - T mod S newest days are cut into S blocks, C(S, S/2) combinations
 * @throws SluiceError `length_mismatch` | `non_finite` | `out_of_range`
 */
export function probabilityOfBacktestOverfitting(
  returns: Float64Array,
  configs: number,
  blocks = 16,
): BacktestOverfitting {
  const days = checkShape(returns, configs, blocks);
  checkFinite(returns, 'Returns of configurations');
  const sums = blockSums(returns, configs, days, blocks);
  const outcomes = tryAllHalves(sums);
  const share = (holds: (i: number) => boolean): number =>
    outcomes.logits.reduce((count, _, i) => count + (holds(i) ? 1 : 0), 0) / outcomes.logits.length;
  return {
    version: 'pbo_cscv_v1',
    pbo: share((i) => outcomes.logits[i]! <= 0),
    pbo_strict: share((i) => outcomes.logits[i]! < 0),
    oos_loss_probability: share((i) => outcomes.outside[i]! < 0),
    slope: leastSquaresSlope(outcomes.inside, outcomes.outside),
    configs,
    blocks,
    combinations: outcomes.logits.length,
    days_used: sums.blockDays * blocks,
    days_dropped: days - sums.blockDays * blocks,
    logits: Array.from(outcomes.logits),
  };
}

function checkShape(returns: Float64Array, configs: number, blocks: number): number {
  if (!Number.isInteger(configs) || configs < 2) {
    throw new SluiceError(
      'out_of_range',
      `At least 2 configurations are needed; found ${configs}.`,
    );
  }
  if (!Number.isInteger(blocks) || blocks % 2 !== 0 || blocks < 2 || blocks > maxBlocks) {
    throw new SluiceError(
      'out_of_range',
      `The number of blocks must be even, from 2 to ${maxBlocks}; found ${blocks}.`,
    );
  }
  const days = returns.length / configs;
  if (!Number.isInteger(days)) {
    throw new SluiceError(
      'length_mismatch',
      `Each of ${configs} configurations needs the same days; found ${returns.length} returns.`,
    );
  }
  if (days >= 2 * blocks) return days;
  throw new SluiceError(
    'out_of_range',
    `Each of ${blocks} blocks needs 2 or more days; found ${days} days in all.`,
  );
}

/** Sums per block, block-major: [S*N]. */
interface BlockSums {
  readonly configs: number;
  readonly blocks: number;
  readonly blockDays: number;
  /** [N] taken off each return before summing, see {@link origin} */
  readonly origin: Float64Array;
  readonly sum: Float64Array;
  readonly square: Float64Array;
}

function blockSums(
  returns: Float64Array,
  configs: number,
  days: number,
  blocks: number,
): BlockSums {
  const blockDays = Math.floor(days / blocks);
  const dropped = days - blockDays * blocks;
  const sum = new Float64Array(blocks * configs);
  const square = new Float64Array(blocks * configs);
  const origins = new Float64Array(configs);
  for (let config = 0; config < configs; config += 1) {
    const series = returns.subarray(config * days + dropped, (config + 1) * days);
    const base = origin(series);
    origins[config] = base;
    for (let t = 0; t < series.length; t += 1) {
      const at = Math.floor(t / blockDays) * configs + config;
      const value = series[t]! - base;
      sum[at]! += value;
      square[at]! += value * value;
    }
  }
  checkFinite(square, 'Squared returns');
  return { configs, blocks, blockDays, origin: origins, sum, square };
}

/**
 * Squares lose the deviation's digits when the mean is larger than it; only such a series is moved to its
 * mean. Others stay at 0, so that idle halves give exactly 0 and tie.
 */
function origin(series: Float64Array): number {
  const mean = series.reduce((sum, value) => sum + value, 0) / series.length;
  const variance = series.reduce((sum, value) => sum + (value - mean) ** 2, 0) / series.length;
  return mean * mean > variance ? mean : 0;
}

/** What each combination gave, in lexicographic order of the in-sample half. */
interface Outcomes {
  readonly logits: Float64Array;
  /** the chosen configuration's Sharpe in the half that chose it, and in the other */
  readonly inside: Float64Array;
  readonly outside: Float64Array;
}

/**
 * Walks the choices that hold block 0; each also serves its complement, which stands at the mirrored
 * place of the lexicographic order.
 */
function tryAllHalves(sums: BlockSums): Outcomes {
  const half = sums.blocks / 2;
  const count = choose(sums.blocks, half);
  const outcomes = {
    logits: new Float64Array(count),
    inside: new Float64Array(count),
    outside: new Float64Array(count),
  };
  const left = runningSums(sums);
  const right = runningSums(sums);
  let next = 0;
  const walk = (block: number, inLeft: number, inRight: number): void => {
    if (block === sums.blocks) {
      const leftSharpe = left.sharpe();
      const rightSharpe = right.sharpe();
      judge(outcomes, next, leftSharpe, rightSharpe);
      judge(outcomes, count - 1 - next, rightSharpe, leftSharpe);
      next += 1;
      return;
    }
    if (inLeft < half) {
      left.add(block, inLeft);
      walk(block + 1, inLeft + 1, inRight);
    }
    if (inRight < half && block > 0) {
      right.add(block, inRight);
      walk(block + 1, inLeft, inRight + 1);
    }
  };
  walk(0, 0, 0);
  return outcomes;
}

/** Partial sums of one half, one level per block taken, so that going back costs nothing. */
interface RunningSums {
  /** level `taken` plus a block makes level `taken + 1` */
  add(block: number, taken: number): void;
  /** [N] of the full half; overwritten by the next call */
  sharpe(): Float64Array;
}

function runningSums({ configs, blocks, blockDays, origin, sum, square }: BlockSums): RunningSums {
  const half = blocks / 2;
  const levels = Array.from({ length: half + 1 }, () => ({
    sum: new Float64Array(configs),
    square: new Float64Array(configs),
  }));
  const result = new Float64Array(configs);
  return {
    add(block, taken) {
      const from = levels[taken]!;
      const to = levels[taken + 1]!;
      const offset = block * configs;
      for (let i = 0; i < configs; i += 1) {
        to.sum[i] = from.sum[i]! + sum[offset + i]!;
        to.square[i] = from.square[i]! + square[offset + i]!;
      }
    },
    sharpe() {
      const days = half * blockDays;
      const full = levels[half]!;
      for (let i = 0; i < configs; i += 1) {
        const mean = full.sum[i]! / days;
        const squares = Math.max(0, full.square[i]! - full.sum[i]! * mean);
        const deviation = Math.sqrt(squares / (days - 1));
        result[i] = (origin[i]! + mean) / Math.max(deviation, volFloor);
      }
      return result;
    },
  };
}

function judge(outcomes: Outcomes, at: number, inside: Float64Array, outside: Float64Array): void {
  let best = 0;
  for (let i = 1; i < inside.length; i += 1) if (inside[i]! > inside[best]!) best = i;
  const value = outside[best]!;
  let less = 0;
  let equal = 0;
  for (let i = 0; i < outside.length; i += 1) {
    if (outside[i]! < value) less += 1;
    else if (outside[i]! === value) equal += 1;
  }
  const rank = less + (equal + 1) / 2;
  outcomes.logits[at] = Math.log(rank / (outside.length + 1 - rank));
  outcomes.inside[at] = inside[best]!;
  outcomes.outside[at] = value;
}

function choose(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i += 1) product = (product * (n - k + i)) / i;
  return product;
}

function leastSquaresSlope(x: Float64Array, y: Float64Array): number | null {
  const meanX = x.reduce((sum, value) => sum + value, 0) / x.length;
  const meanY = y.reduce((sum, value) => sum + value, 0) / y.length;
  let both = 0;
  let squares = 0;
  for (let i = 0; i < x.length; i += 1) {
    both += (x[i]! - meanX) * (y[i]! - meanY);
    squares += (x[i]! - meanX) ** 2;
  }
  return squares > 0 ? both / squares : null;
}
