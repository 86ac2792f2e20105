import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { parseLightgbmText } from '../../../models/score/index.ts';
import { handText, handTree } from './handTree.ts';

describe('parseLightgbmText', () => {
  it('reads splits, decision bits, category bitsets and covers', () => {
    const { featureCount, trees } = parseLightgbmText(handText);
    expect(featureCount).to.equal(2);
    expect(trees).to.have.length(2);
    expect(trees[0]).to.deep.equal(handTree);
  });

  it('reads a tree of one leaf as a tree without nodes', () => {
    const leaf = parseLightgbmText(handText).trees[1]!;
    expect(leaf.splitFeature).to.have.length(0);
    expect([...leaf.leafValue]).to.deep.equal([-0.25]);
  });

  it('reads the threshold inf, which parts missing values from all others', () => {
    const text = handText.replace('threshold=0.5 0', 'threshold=inf 0');
    expect(parseLightgbmText(text).trees[0]!.threshold[0]).to.equal(Number.POSITIVE_INFINITY);
  });

  const refusals: readonly (readonly [string, string | RegExp, string, RegExp])[] = [
    ['what is no model', /^tree\nversion=v4/, 'hello', /"version=v4"/],
    ['an older format', 'version=v4', 'version=v3', /"version=v4"/],
    ['several classes', 'num_class=1', 'num_class=3', /more than one score/],
    ['an averaged forest', 'label_index=0', 'average_output', /averages/],
    ['linear leaves', 'is_linear=0', 'is_linear=1', /linear/],
    ['a truncated file', /Tree=1.*/s, '', /declares 2 trees and holds 1/],
    ['too few numbers', 'leaf_value=1 2 4', 'leaf_value=1 2', /leaf_value has 2 numbers/],
    ['a value that is not finite', 'leaf_value=1 2 4', 'leaf_value=1 nan 4', /no finite number/],
    ['an empty number', 'leaf_value=1 2 4', 'leaf_value=1  4', /no finite number/],
    ['an unknown feature', 'split_feature=0 1', 'split_feature=0 2', /feature 2 of 2/],
    ['an unknown missing type', 'decision_type=10 1', 'decision_type=14 1', /missing type/],
    ['a node with two parents', 'left_child=1 -1', 'left_child=1 1', /no tree/],
    [
      'a ring beside the tree',
      'left_child=1 -1\nright_child=-3 -2',
      'left_child=-1 1\nright_child=-3 -2',
      /no tree/,
    ],
    ['a link to nowhere', 'right_child=-3 -2', 'right_child=-3 -9', /no tree/],
    ['an unknown category set', 'threshold=0.5 0', 'threshold=0.5 1', /category set 1 of 1/],
    ['a fraction of a row', 'internal_count=10 6', 'internal_count=10 6 7', /internal_count has 3/],
  ];
  for (const [what, from, to, message] of refusals) {
    it(`refuses ${what}`, () => {
      const text = handText.replace(from, to);
      expect(text).not.to.equal(handText);
      expect(() => parseLightgbmText(text))
        .to.throw(SluiceError, message)
        .with.property('code', 'input_invalid');
    });
  }
});
