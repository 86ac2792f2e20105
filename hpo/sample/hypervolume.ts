// How much of the space of losses points dominate up to a reference point, and the choice of points that dominates most:
// greedily, which is within 1 - 1/e of the best. Guerreiro, Fonseca and Paquete 2016, "Greedy hypervolume subset selection in
// low dimensions"; While, Bradstreet and Barone 2012, "A fast way of calculating exact hypervolumes".

import { compareLosses, frontOf, type Losses } from './paretoRank.ts';

/**
 * Chooses members of a front.
 * @param groups indices of equal vectors together; groups in the order of `compareLosses`
 * @param wanted fewer than there are indices
 * @returns indices
 * @source Optuna, `_solve_hssp`
 */
export function mostHypervolume(
  groups: readonly (readonly number[])[],
  losses: readonly Losses[],
  wanted: number,
): number[] {
  const firsts = groups.map((group) => group[0]!);
  if (firsts.length <= wanted) {
    const repeated = groups.flatMap((group) => group.slice(1)).sort((a, b) => a - b);
    return [...firsts, ...repeated.slice(0, wanted - firsts.length)];
  }
  const points = firsts.map((i) => losses[i]!);
  const reference = referenceOf(points);
  if (!reference.every(Number.isFinite)) return firsts.slice(0, wanted);
  const choose = reference.length === 2 ? chooseInPlane : chooseInSpace;
  return choose(points, reference, wanted).map((i) => firsts[i]!);
}

/** A little worse than the worst in each objective. */
function referenceOf(points: readonly Losses[]): number[] {
  return points[0]!.map((_, objective) => {
    const worst = Math.max(...points.map((point) => point[objective]!));
    return Math.max(1.1 * worst, 0.9 * worst) || 1e-12;
  });
}

/** Two objectives: what a point adds is a rectangle up to its chosen neighbours. */
function chooseInPlane(points: readonly Losses[], reference: Losses, wanted: number): number[] {
  const open = points.map((point, index) => ({
    index,
    point,
    corner: [reference[0]!, reference[1]!],
  }));
  const chosen: number[] = [];
  while (chosen.length < wanted) {
    const areas = open.map(
      ({ point, corner }) => (corner[0]! - point[0]!) * (corner[1]! - point[1]!),
    );
    const best = firstOfLargest(areas);
    const [{ index, point }] = open.splice(best, 1) as [(typeof open)[number]];
    chosen.push(index);
    open.forEach(({ corner }, i) => {
      const side = i < best ? 0 : 1;
      corner[side] = Math.min(point[side]!, corner[side]!);
    });
  }
  return chosen;
}

/** More objectives: what a point adds is computed only while it may be the most. */
function chooseInSpace(points: readonly Losses[], reference: Losses, wanted: number): number[] {
  const open = points.map((point, index) => ({ index, point, gain: boxOf(point, reference) }));
  const chosen: Losses[] = [];
  const indices: number[] = [];
  let volume = 0;
  for (;;) {
    const best = firstOfLargest(open.map(({ gain }) => gain));
    const [{ index, point, gain }] = open.splice(best, 1) as [(typeof open)[number]];
    indices.push(index);
    chosen.push(point);
    volume += gain;
    if (indices.length === wanted) return indices;
    for (const one of open) {
      const shared = boxOf(worseOf(one.point, point), reference);
      one.gain = Math.min(one.gain, boxOf(one.point, reference) - shared);
    }
    let largest = 0;
    // What a point adds never grows as more are chosen: the last figure bounds it from above.
    for (const one of [...open].sort((a, b) => b.gain - a.gain)) {
      if (one.gain < largest) continue;
      one.gain = gainOf(one.point, chosen, volume, reference);
      largest = Math.max(largest, one.gain);
    }
  }
}

function gainOf(point: Losses, chosen: readonly Losses[], volume: number, reference: Losses) {
  if (reference.length === 3) return hypervolume([...chosen, point], reference) - volume;
  const shared = chosen.map((other) => worseOf(point, other));
  return boxOf(point, reference) - hypervolume(shared, reference);
}

/**
 * Volume of the space that points dominate.
 * @param points none worse than `reference` in any objective
 */
export function hypervolume(points: readonly Losses[], reference: Losses): number {
  const front = frontOf([...points].sort(compareLosses), (point) => point);
  return reference.length === 3
    ? sweptVolume(front, reference)
    : front.reduce((sum, point, i) => {
        const shared = front.slice(i + 1).map((other) => worseOf(point, other));
        const inOthers = shared.length === 0 ? 0 : hypervolume(shared, reference);
        return sum + boxOf(point, reference) - inOthers;
      }, 0);
}

/** Three objectives: columns over the grid of all x and y, as high as the best point that dominates them. */
function sweptVolume(front: readonly Losses[], reference: Losses): number {
  const byY = [...front].sort((a, b) => a[1]! - b[1]!);
  const heights = new Float64Array(front.length);
  let volume = 0;
  front.forEach((point, i) => {
    const nextX = front[i + 1]?.[0] ?? reference[0]!;
    let area = 0;
    let height = 0;
    byY.forEach((row, j) => {
      if (row === point) heights[j] = reference[2]! - point[2]!;
      height = Math.max(height, heights[j]!);
      area += height * ((byY[j + 1]?.[1] ?? reference[1]!) - row[1]!);
    });
    volume += area * (nextX - point[0]!);
  });
  return volume;
}

/** Volume between a point and the reference. */
const boxOf = (point: Losses, reference: Losses): number =>
  point.reduce((volume, loss, i) => volume * (reference[i]! - loss), 1);

const worseOf = (a: Losses, b: Losses): number[] => a.map((loss, i) => Math.max(loss, b[i]!));

function firstOfLargest(numbers: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < numbers.length; i += 1) if (numbers[i]! > numbers[best]!) best = i;
  return best;
}
