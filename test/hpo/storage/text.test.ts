import { expect } from 'chai';
import fc from 'fast-check';
import {
  createDistributionReader,
  distributionText,
} from '../../../hpo/storage/distributionJson.ts';
import { jsonText, parseJson } from '../../../hpo/storage/json.ts';
import { numberCells, readNumber, readTime, timeText } from '../../../hpo/storage/values.ts';
import {
  categoricalDistribution,
  floatDistribution,
  intDistribution,
  type Json,
} from '../../../hpo/study/index.ts';

describe('the text of attributes', () => {
  it('is read with the bare numbers that Python writes, and strings that only look like them', () => {
    const text = String.raw`{"a": [NaN, -Infinity, Infinity, -1.5], "NaN": "\"NaN, Infinity", "b": {"c": NaN}}`;
    expect(parseJson(text, 'x')).to.deep.equal({
      a: [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -1.5],
      NaN: '"NaN, Infinity',
      b: { c: Number.NaN },
    });
    expect(() => parseJson('{"a": nan}', 'attribute x')).to.throw('attribute x must be JSON');
    expect(() => parseJson(null, 'attribute x')).to.throw('found null');
  });

  it('comes back as it went, and never says NaN', () => {
    const values = fc.jsonValue({ depthSize: 'small' }).filter((value) => !hasMinusZero(value));
    fc.assert(
      fc.property(values, (value) => {
        expect(parseJson(jsonText(value as Json), 'x')).to.deep.equal(value);
      }),
      { seed: 3, numRuns: 200 },
    );
    expect(() => jsonText([Number.NaN])).to.throw('JSON cannot say');
  });
});

/** JSON text has no -0 in its canonical form. */
const hasMinusZero = (value: unknown): boolean =>
  Object.is(value, -0) ||
  (typeof value === 'object' && value !== null && Object.values(value).some(hasMinusZero));

describe('the text of distributions', () => {
  const read = createDistributionReader();

  it('is what Optuna writes, attribute for attribute', () => {
    expect(distributionText(floatDistribution(0, 1))).to.equal(
      '{"name":"FloatDistribution","attributes":{"step":null,"low":0,"high":1,"log":false}}',
    );
    expect(distributionText(intDistribution(1, 10))).to.equal(
      '{"name":"IntDistribution","attributes":{"log":false,"step":1,"low":1,"high":10}}',
    );
    expect(distributionText(categoricalDistribution(['a', null, true, 1.5, 3]))).to.equal(
      '{"name":"CategoricalDistribution","attributes":{"choices":["a",null,true,1.5,3]}}',
    );
  });

  it('comes back the same, the same object for the same text', () => {
    for (const distribution of [
      floatDistribution(-1, 1),
      floatDistribution(1e-9, 1, { log: true }),
      floatDistribution(0, 0.9, { step: 0.3 }),
      intDistribution(1, 9, { step: 2 }),
      intDistribution(1, 9, { log: true }),
      categoricalDistribution([null, 'x']),
    ]) {
      const text = distributionText(distribution);
      expect(read(text)).to.deep.equal(distribution);
      expect(read(text)).to.equal(read(text));
    }
  });

  it('is read in its short form and in the names of older versions', () => {
    const attributes = (name: string, fields: object) =>
      read(JSON.stringify({ name, attributes: fields }));
    const range = { low: 1, high: 9 };
    expect(attributes('UniformDistribution', range)).to.deep.equal(floatDistribution(1, 9));
    expect(attributes('LogUniformDistribution', range)).to.deep.equal(
      floatDistribution(1, 9, { log: true }),
    );
    expect(attributes('DiscreteUniformDistribution', { ...range, q: 2 })).to.deep.equal(
      floatDistribution(1, 9, { step: 2 }),
    );
    expect(attributes('IntUniformDistribution', { ...range, step: 4 })).to.deep.equal(
      intDistribution(1, 9, { step: 4 }),
    );
    expect(attributes('IntLogUniformDistribution', { ...range, step: 1 })).to.deep.equal(
      intDistribution(1, 9, { log: true }),
    );
    expect(read('{"type": "float", "low": 1, "high": 9}')).to.deep.equal(floatDistribution(1, 9));
    expect(read('{"type": "int", "low": 1, "high": 9, "log": true}')).to.deep.equal(
      intDistribution(1, 9, { log: true }),
    );
    expect(read('{"type": "categorical", "choices": [1, "a"]}')).to.deep.equal(
      categoricalDistribution([1, 'a']),
    );
    expect(() => read('{"name": "NormalDistribution", "attributes": {}}')).to.throw('Normal');
  });
});

describe('numbers and times in columns', () => {
  it('follow the rules of Optuna', () => {
    expect(numberCells(-0.5)).to.deep.equal([-0.5, 'FINITE']);
    expect(numberCells(Number.NaN)).to.deep.equal([null, 'NAN']);
    expect(numberCells(Number.POSITIVE_INFINITY)).to.deep.equal([null, 'INF_POS']);
    expect(numberCells(Number.NEGATIVE_INFINITY)).to.deep.equal([null, 'INF_NEG']);
    for (const cells of [
      [null, 'FINITE'],
      [1, 'INF_POS'],
      [1, 'finite'],
    ]) {
      expect(() => readNumber(...(cells as [unknown, unknown]))).to.throw('a number and its type');
    }
  });

  it('say UTC, and are read to the millisecond with any fraction', () => {
    const ms = Date.UTC(2026, 10, 22, 17, 15, 59, 70);
    expect(timeText(ms)).to.equal('2026-11-22 17:15:59.070000');
    for (const text of [
      '2026-11-22 17:15:59.070000',
      '2026-11-22 17:15:59.07',
      '2026-11-22T17:15:59.070999',
    ]) {
      expect(readTime(text)).to.equal(ms);
    }
    expect(readTime('2026-11-22 17:15:59')).to.equal(ms - 70);
    expect(readTime(null)).to.equal(null);
    expect(() => readTime('1795367759')).to.throw('found 1795367759');
  });
});
