import { expect } from 'chai';
import { createRandom, type Random } from '../../../core/index.ts';
import { type Tree, treeContributions, treeScorer } from '../../../models/score/index.ts';
import { handTree } from './handTree.ts';

/** Expected leaf of a row when only the features in `known` are known: the definition, by recursion. */
function expectation(tree: Tree, row: Float32Array, known: number, node: number): number {
  if (node < 0) return tree.leafValue[~node]!;
  const [left, right] = [tree.left[node]!, tree.right[node]!];
  const feature = tree.splitFeature[node]!;
  if ((known >> feature) & 1) {
    const goesLeft = row[feature]! <= tree.threshold[node]!;
    return expectation(tree, row, known, goesLeft ? left : right);
  }
  const cover = (child: number) => (child < 0 ? tree.leafCover[~child]! : tree.nodeCover[child]!);
  const mean = (child: number) =>
    (cover(child) / tree.nodeCover[node]!) * expectation(tree, row, known, child);
  return mean(left) + mean(right);
}

/** Shapley values by their definition: a mean over all orders, written as a sum over subsets. */
function shapley(tree: Tree, row: Float32Array): number[] {
  const n = row.length;
  const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
  const bits = (set: number): number => (set === 0 ? 0 : (set & 1) + bits(set >> 1));
  return Array.from(row, (_, feature) => {
    let value = 0;
    for (let set = 0; set < 2 ** n; set += 1) {
      if ((set >> feature) & 1) continue;
      const weight = (factorial(bits(set)) * factorial(n - bits(set) - 1)) / factorial(n);
      value +=
        weight * (expectation(tree, row, set | (1 << feature), 0) - expectation(tree, row, set, 0));
    }
    return value;
  });
}

/** A random tree that splits on the same features again and again. */
function randomTree(random: Random, leaves: number, features: number): Tree {
  const nodes = leaves - 1;
  const left = new Int32Array(nodes).fill(~0);
  const right = new Int32Array(nodes);
  const ends: { readonly of: Int32Array; readonly at: number }[] = [];
  for (let node = 0; node < nodes; node += 1) {
    if (node > 0) {
      const [end] = ends.splice(random.integer(ends.length), 1);
      end!.of[end!.at] = node;
    }
    ends.push({ of: left, at: node }, { of: right, at: node });
  }
  ends.forEach(({ of, at }, leaf) => {
    of[at] = ~leaf;
  });
  const leafCover = Float64Array.from({ length: leaves }, () => 1 + random.integer(50));
  const nodeCover = new Float64Array(nodes);
  const cover = (child: number) => (child < 0 ? leafCover[~child]! : nodeCover[child]!);
  for (let node = nodes - 1; node >= 0; node -= 1)
    nodeCover[node] = cover(left[node]!) + cover(right[node]!);
  return {
    splitFeature: Int32Array.from({ length: nodes }, () => random.integer(features)),
    threshold: Float64Array.from({ length: nodes }, () => random.normal()),
    left,
    right,
    defaultLeft: new Uint8Array(nodes),
    missing: new Uint8Array(nodes),
    categories: Array.from({ length: nodes }, () => null),
    nodeCover,
    leafValue: Float64Array.from({ length: leaves }, () => random.normal()),
    leafCover,
  };
}

describe('treeContributions', () => {
  it('gives the values worked out by hand', () => {
    // mean score: (4 x 1 + 2 x 2 + 4 x 4) / 10 = 2.4; the row (0, 2) scores 2.
    // x0 alone: (4 x 1 + 2 x 2) / 6 = 4/3; x1 alone: 0.6 x 2 + 0.4 x 4 = 2.8; both: 2.
    const { base, contributions } = treeContributions({ featureCount: 2, trees: [handTree] })(
      Float32Array.of(0, 2),
    );
    expect(base).to.be.closeTo(2.4, 1e-15);
    expect(contributions[0]).to.be.closeTo((4 / 3 - 2.4 + (2 - 2.8)) / 2, 1e-15);
    expect(contributions[1]).to.be.closeTo((2.8 - 2.4 + (2 - 4 / 3)) / 2, 1e-15);
  });

  it('equals the definition of the Shapley value on random trees, repeated features included', () => {
    const random = createRandom(11);
    for (let round = 0; round < 60; round += 1) {
      const features = 1 + random.integer(6);
      const tree = randomTree(random, 2 + random.integer(20), features);
      const row = Float32Array.from({ length: features }, () => random.normal());
      const { contributions } = treeContributions({ featureCount: features, trees: [tree] })(row);
      shapley(tree, row).forEach((value, feature) => {
        expect(contributions[feature]).to.be.closeTo(value, 1e-12);
      });
    }
  });

  it('adds up to the score, a tree of one leaf included', () => {
    const random = createRandom(12);
    const constant: Tree = { ...randomTree(random, 1, 1), leafCover: Float64Array.of(0) };
    const trees = [constant, ...Array.from({ length: 30 }, () => randomTree(random, 31, 12))];
    const explain = treeContributions({ featureCount: 12, trees });
    for (let round = 0; round < 50; round += 1) {
      const row = Float32Array.from({ length: 12 }, () => random.normal());
      const { base, contributions } = explain(row);
      const total = contributions.reduce((sum, value) => sum + value, base);
      expect(total).to.be.closeTo(treeScorer({ featureCount: 12, trees }).score(row, 1)[0]!, 1e-11);
    }
  });

  it('stays exact on a path of 60 features', () => {
    const nodes = 60;
    const chain: Tree = {
      splitFeature: Int32Array.from({ length: nodes }, (_, node) => node),
      threshold: new Float64Array(nodes),
      left: Int32Array.from({ length: nodes }, (_, node) => (node + 1 < nodes ? node + 1 : ~nodes)),
      right: Int32Array.from({ length: nodes }, (_, node) => ~node),
      defaultLeft: new Uint8Array(nodes),
      missing: new Uint8Array(nodes),
      categories: Array.from({ length: nodes }, () => null),
      nodeCover: Float64Array.from({ length: nodes }, (_, node) => 61 - node),
      leafValue: Float64Array.from({ length: nodes + 1 }, (_, leaf) => leaf),
      leafCover: new Float64Array(nodes + 1).fill(1),
    };
    const row = Float32Array.from({ length: nodes }, (_, at) => (at % 3 === 2 ? 1 : -1));
    const { base, contributions } = treeContributions({ featureCount: nodes, trees: [chain] })(row);
    expect(contributions.reduce((sum, value) => sum + value, base)).to.be.closeTo(2, 1e-10);
  });

  it('gives a finite answer where no training row reached a leaf', () => {
    const tree = {
      ...handTree,
      nodeCover: Float64Array.of(4, 4),
      leafCover: Float64Array.of(4, 0, 0),
    };
    const { base, contributions } = treeContributions({ featureCount: 2, trees: [tree] })(
      Float32Array.of(0, 2),
    );
    expect(base).to.equal(1);
    expect(contributions[0]).to.be.closeTo(0, 1e-299);
    expect(contributions[1], 'x1 alone moves the score from 1 to 2').to.be.closeTo(1, 1e-15);
  });

  it('refuses a tree without covers', () => {
    const bare = { ...handTree, nodeCover: new Float64Array(2), leafCover: new Float64Array(3) };
    expect(() => treeContributions({ featureCount: 2, trees: [bare] }))
      .to.throw(/training rows/)
      .with.property('code', 'input_invalid');
  });
});
