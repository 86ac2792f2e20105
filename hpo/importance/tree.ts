// A regression tree as the regions of its leaves, which tile the unit space of the parameters: all that a decomposition of
// its variance needs. CART, Breiman et al. 1984: each cut takes away the most squared error; choices are ordered by their
// mean target first, which makes the best of all their divisions one of a few (theorem 4.5 there).

import type { Random } from '../../core/index.ts';

/** A parameter's axis: the unit interval, or so many choices. */
export type Axis =
  | { readonly kind: 'range' }
  | { readonly kind: 'choices'; readonly count: number };

/** Part of an axis: an interval of [0, 1], or 1 for each choice that belongs to it and 0 for the others. */
export type Extent = { readonly low: number; readonly high: number } | Uint8Array;

/** Points with targets, by columns. */
export interface Sample {
  readonly axes: readonly Axis[];
  /** [axes][n] in [0, 1], or index of the choice */
  readonly columns: readonly Float64Array[];
  /** [n] */
  readonly targets: Float64Array;
}

/** What a tree says where. */
export interface Leaf {
  /** mean target of the points in it */
  readonly value: number;
  /** one extent for each axis */
  readonly region: readonly Extent[];
}

interface Cut {
  readonly axis: number;
  /** sum of squared sums over counts of the two sides: what is largest leaves the least squared error */
  readonly score: number;
  readonly left: Extent;
  readonly right: Extent;
}

/** Rows of a node, once for each axis, in the order of that axis's column. */
type Orders = readonly Int32Array[];

/**
 * Grows a tree until the targets in each leaf are equal or their points are.
 * @param rows of the sample, in any order, repeated as a bootstrap repeats them; one at least
 * @param random decides which axis is looked at first, and so between cuts that are equally good
 * @returns leaves whose regions tile the space
 */
export function growTree(sample: Sample, rows: Int32Array, random: Random): Leaf[] {
  const orders = sample.columns.map((column) => rows.toSorted((a, b) => column[a]! - column[b]!));
  const leaves: Leaf[] = [];
  grow(sample, orders, sample.axes.map(whole), random, leaves);
  return leaves;
}

const whole = (axis: Axis): Extent =>
  axis.kind === 'range' ? { low: 0, high: 1 } : new Uint8Array(axis.count).fill(1);

/** True if a value of an axis lies in an extent of it; intervals are closed above, and cuts lie between values. */
const holds = (extent: Extent, value: number): boolean =>
  extent instanceof Uint8Array ? extent[value] === 1 : value <= extent.high;

function grow(
  sample: Sample,
  orders: Orders,
  region: readonly Extent[],
  random: Random,
  leaves: Leaf[],
): void {
  const cut = bestCut(sample, orders, region, random);
  if (cut === null) {
    const rows = orders[0]!;
    leaves.push({ value: sumOf(rows, sample.targets) / rows.length, region });
    return;
  }
  const { axis, left, right } = cut;
  const column = sample.columns[axis]!;
  const isLeft = (row: number) => holds(left, column[row]!);
  const side = (keep: (row: number) => boolean) => orders.map((order) => order.filter(keep));
  grow(sample, side(isLeft), region.with(axis, left), random, leaves);
  grow(
    sample,
    side((row) => !isLeft(row)),
    region.with(axis, right),
    random,
    leaves,
  );
}

const sumOf = (rows: Int32Array, targets: Float64Array): number =>
  rows.reduce((sum, row) => sum + targets[row]!, 0);

function bestCut(
  sample: Sample,
  orders: Orders,
  region: readonly Extent[],
  random: Random,
): Cut | null {
  const { axes, targets } = sample;
  const rows = orders[0]!;
  if (rows.every((row) => targets[row] === targets[rows[0]!])) return null;
  let best: Cut | null = null;
  const start = random.integer(axes.length);
  for (let i = 0; i < axes.length; i += 1) {
    const axis = (start + i) % axes.length;
    const extent = region[axis]!;
    const cut =
      extent instanceof Uint8Array
        ? bestDivision(sample, orders[axis]!, axis, extent)
        : bestThreshold(sample, orders[axis]!, axis, extent);
    if (cut !== null && cut.score > (best?.score ?? Number.NEGATIVE_INFINITY)) best = cut;
  }
  return best;
}

/** Cuts an interval in the middle between two neighbouring values. */
function bestThreshold(
  { columns, targets }: Sample,
  order: Int32Array,
  axis: number,
  { low, high }: { readonly low: number; readonly high: number },
): Cut | null {
  const column = columns[axis]!;
  const move = scoreMoves(sumOf(order, targets), order.length);
  let best = Number.NEGATIVE_INFINITY;
  let threshold = 0;
  for (let i = 0; i + 1 < order.length; i += 1) {
    const value = column[order[i]!]!;
    const next = column[order[i + 1]!]!;
    const score = move(targets[order[i]!]!, 1);
    if (!(next > value && score > best)) continue;
    best = score;
    threshold = between(value, next);
  }
  if (best === Number.NEGATIVE_INFINITY) return null;
  return { axis, score: best, left: { low, high: threshold }, right: { low: threshold, high } };
}

/** The middle, or the lower of two neighbours among doubles. */
function between(value: number, next: number): number {
  const middle = value + (next - value) / 2;
  return middle < next ? middle : value;
}

/** Divides choices at the best place in the order of their means; those that have no points go with most points. */
function bestDivision(
  { columns, targets }: Sample,
  order: Int32Array,
  axis: number,
  extent: Uint8Array,
): Cut | null {
  const totals = new Float64Array(extent.length);
  const counts = new Int32Array(extent.length);
  for (const row of order) {
    const choice = columns[axis]![row]!;
    totals[choice]! += targets[row]!;
    counts[choice]! += 1;
  }
  const mean = (choice: number) => totals[choice]! / counts[choice]!;
  const present = Array.from(counts.keys())
    .filter((choice) => counts[choice]! > 0)
    .sort((a, b) => mean(a) - mean(b));
  const move = scoreMoves(sumOf(order, targets), order.length);
  let best = Number.NEGATIVE_INFINITY;
  let place = 0;
  for (let i = 0; i + 1 < present.length; i += 1) {
    const score = move(totals[present[i]!]!, counts[present[i]!]!);
    if (score <= best) continue;
    best = score;
    place = i + 1;
  }
  if (best === Number.NEGATIVE_INFINITY) return null;
  const lefts = new Set(present.slice(0, place));
  const leftCount = lefts.values().reduce((sum, choice) => sum + counts[choice]!, 0);
  const isLeftLarger = 2 * leftCount > order.length;
  const left = extent.map((is, choice) =>
    is === 1 && (counts[choice]! > 0 ? lefts.has(choice) : isLeftLarger) ? 1 : 0,
  );
  return { axis, score: best, left, right: extent.map((is, choice) => is - left[choice]!) };
}

/** Moves points to the left side of a cut, one on each side at least staying; each call gives the score of the cut there. */
function scoreMoves(sum: number, count: number): (movedSum: number, movedCount: number) => number {
  let leftSum = 0;
  let leftCount = 0;
  return (movedSum, movedCount) => {
    leftSum += movedSum;
    leftCount += movedCount;
    return leftSum ** 2 / leftCount + (sum - leftSum) ** 2 / (count - leftCount);
  };
}
