import { expect } from 'chai';
import fc from 'fast-check';
import { SluiceError } from '../../../core/index.ts';
import { mersenneTwister } from '../../../hpo/sample/mt19937.ts';
import { numerics } from './numerics.ts';

describe('the Mersenne Twister', () => {
  it('has the first words that its authors published (mt19937ar.out)', () => {
    const { word } = mersenneTwister([0x123, 0x234, 0x345, 0x456]);
    expect(Array.from({ length: 10 }, word)).to.eql([
      1067595299, 955945823, 477289528, 4107218783, 4228976476, 3344332714, 3355579695, 227628506,
      810200273, 2591290167,
    ]);
  });

  it('has the ten thousandth word that the C++ standard demands of seed 5489', () => {
    const { word } = mersenneTwister(5489);
    for (let i = 1; i < 10000; i += 1) word();
    expect(word()).to.equal(4123659995);
  });

  for (const { seed, words, uniforms, integers, shuffled } of numerics.streams) {
    it(`is numpy's RandomState(${String(seed).slice(0, 20)})`, () => {
      const stream = mersenneTwister(seed);
      const all = Array.from({ length: 1300 }, stream.word);
      expect([...all.slice(0, 5), ...all.slice(622, 627), ...all.slice(-3)]).to.eql(words);

      const { uniform, upTo } = mersenneTwister(seed);
      expect(Array.from({ length: 3 }, uniform)).to.eql(uniforms);
      expect([1, 2, 3, 7, 64, 65, 1000, 1e6].map((n) => upTo(n - 1))).to.eql(integers);
      const items = Array.from({ length: 20 }, (_, i) => i);
      for (let i = 19; i > 0; i -= 1) {
        const j = upTo(i);
        [items[i], items[j]] = [items[j]!, items[i]!];
      }
      expect(items).to.eql(shuffled);
    });
  }

  it('draws whole numbers up to the largest word', () => {
    const { upTo, word } = mersenneTwister(3);
    const same = mersenneTwister(3);
    expect(upTo(0xffffffff)).to.equal(same.word());
    expect(word()).to.equal(same.word());
  });

  it('refuses what is no seed', () => {
    const odd = fc.oneof(fc.constant(-1), fc.constant(2 ** 32), fc.constant(0.5), fc.constant(NaN));
    fc.assert(
      fc.property(odd, (seed) => {
        for (const wrong of [seed, [1, seed]]) {
          expect(() => mersenneTwister(wrong)).to.throw(SluiceError, /whole number/);
        }
      }),
      { numRuns: 20 },
    );
    expect(() => mersenneTwister([])).to.throw(SluiceError, /at least one/);
  });
});
