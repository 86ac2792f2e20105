import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalJson, digestOf, SluiceError, sha256Hex } from '../../core/index.ts';

describe('canonicalJson', () => {
  it('sorts keys at every depth and writes no blanks', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).to.equal(
      '{"a":true,"b":[1,{"c":"x","d":null}]}',
    );
  });

  it('reads back as the same value, and does not depend on the order of insertion', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const plain = JSON.parse(JSON.stringify(value));
        const shuffled = Object.fromEntries(Object.entries(plain).reverse());
        expect(JSON.parse(canonicalJson(plain))).to.deep.equal(plain);
        expect(canonicalJson(shuffled)).to.equal(canonicalJson(plain));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  for (const [name, value] of [
    ['undefined', { a: undefined }],
    ['NaN', { a: [Number.NaN] }],
    ['an infinity', { a: Number.POSITIVE_INFINITY }],
    ['a bigint', { a: 1n }],
    ['a function', { a: () => 1 }],
    ['a typed array', { a: new Float32Array(1) }],
    ['a date', { a: new Date(0) }],
  ] as const) {
    it(`refuses ${name} instead of losing it`, () => {
      expect(() => canonicalJson(value))
        .to.throw(SluiceError)
        .with.property('code', 'not_canonical');
    });
  }

  it('gives the published sha256 of "abc", and a digest of the canonical text', () => {
    expect(sha256Hex('abc')).to.equal(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(digestOf({ b: 1, a: 2 })).to.equal(sha256Hex('{"a":2,"b":1}'));
  });
});
