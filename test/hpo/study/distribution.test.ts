import { expect } from 'chai';
import fc from 'fast-check';
import { lastStep } from '../../../hpo/study/decimal.ts';
import { requireCompatible, singleValue } from '../../../hpo/study/distribution.ts';
import {
  categoricalDistribution,
  contains,
  type Distribution,
  floatDistribution,
  intDistribution,
  isSingle,
  sameDistribution,
  toExternal,
  toInternal,
} from '../../../hpo/study/index.ts';

const code = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('distributions', () => {
  it('bring the end of a stepped range down to its last step, in decimal', () => {
    // what Optuna 5.0.0 makes of the same ranges
    expect(floatDistribution(0, 1, { step: 0.3 }).high).to.equal(0.9);
    expect(floatDistribution(0.1, 0.7, { step: 0.2 }).high).to.equal(0.7);
    expect(floatDistribution(0, 0.3, { step: 0.1 }).high).to.equal(0.3);
    expect(floatDistribution(-1e-7, 1, { step: 0.25 }).high).to.equal(0.9999999);
    expect(intDistribution(1, 10, { step: 4 }).high).to.equal(9);
    expect(intDistribution(-7, 0, { step: 3 }).high).to.equal(-1);
  });

  it('keep the last step within reach: at most high, less than a step below', () => {
    const small = fc.integer({ min: -10_000, max: 10_000 });
    fc.assert(
      fc.property(small, fc.nat(10_000), fc.integer({ min: 1, max: 5000 }), (low, width, step) => {
        const scaled = (x: number) => Number(`${x}e-3`);
        const top = lastStep(scaled(low), scaled(low + width), scaled(step));
        expect(top).to.equal(scaled(low + width - (width % step)));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('are refused when they are empty or say two things', () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    expect(code(() => floatDistribution(1, 0))).to.equal('out_of_range');
    expect(code(() => floatDistribution(0, 1, { log: true }))).to.equal('out_of_range');
    expect(code(() => floatDistribution(1, 2, { log: true, step: 1 }))).to.equal('out_of_range');
    expect(code(() => floatDistribution(0, 1, { step: 0 }))).to.equal('out_of_range');
    expect(code(() => floatDistribution(nan, 1))).to.equal('non_finite');
    expect(code(() => floatDistribution(0, infinity))).to.equal('non_finite');
    expect(code(() => intDistribution(0, 1.5))).to.equal('out_of_range');
    expect(code(() => intDistribution(1, 8, { log: true, step: 2 }))).to.equal('out_of_range');
    expect(code(() => categoricalDistribution([]))).to.equal('out_of_range');
    expect(code(() => categoricalDistribution(['a', 'a']))).to.equal('out_of_range');
    expect(code(() => categoricalDistribution([nan]))).to.equal('non_finite');
  });

  it('know their own values', () => {
    const stepped = floatDistribution(0.1, 0.7, { step: 0.2 });
    expect([0.1, 0.3, 0.30000000000000004, 0.7].every((x) => contains(stepped, x))).to.equal(true);
    expect([0, 0.2, 0.9, Number.NaN].some((x) => contains(stepped, x))).to.equal(false);
    const odd = intDistribution(1, 9, { step: 2 });
    expect([1, 3, 9].every((x) => contains(odd, x))).to.equal(true);
    expect([0, 2, 1.5, 11].some((x) => contains(odd, x))).to.equal(false);
    const choices = categoricalDistribution(['a', null]);
    expect([0, 1].every((x) => contains(choices, x))).to.equal(true);
    expect([-1, 2, 0.5].some((x) => contains(choices, x))).to.equal(false);
  });

  it('turn choices into places and back, and leave numbers as they are', () => {
    const choices = categoricalDistribution([null, true, 1.5, 'x']);
    for (const [at, choice] of choices.choices.entries()) {
      expect(toInternal(choices, choice)).to.equal(at);
      expect(toExternal(choices, at)).to.equal(choice);
    }
    expect(code(() => toInternal(choices, 'y'))).to.equal('input_invalid');
    expect(toInternal(floatDistribution(0, 1), 7)).to.equal(7);
    expect(toInternal(intDistribution(0, 9), 3.9)).to.equal(3);
    expect(code(() => toInternal(floatDistribution(0, 1), 'x'))).to.equal('input_invalid');
    expect(code(() => toInternal(floatDistribution(0, 1), Number.NaN))).to.equal('input_invalid');
    expect(code(() => toInternal(intDistribution(1, 9, { log: true }), -1))).to.equal(
      'input_invalid',
    );
  });

  it('with one value say so', () => {
    for (const [distribution, value] of [
      [floatDistribution(2, 2), 2],
      [floatDistribution(2, 2.5, { step: 1 }), 2],
      [intDistribution(3, 4, { step: 2 }), 3],
      [categoricalDistribution(['x']), 0],
    ] as const) {
      expect(isSingle(distribution)).to.equal(true);
      expect(singleValue(distribution)).to.equal(value);
    }
    expect(isSingle(intDistribution(3, 5, { step: 2 }))).to.equal(false);
  });

  it('of one name may move their range, not their kind, log or choices', () => {
    const change = (known: Distribution, asked: Distribution) =>
      code(() => requireCompatible('x', known, asked));
    const float = floatDistribution(1, 2);
    expect(change(float, floatDistribution(5, 9, { step: 1 }))).to.equal(undefined);
    expect(change(float, floatDistribution(1, 2, { log: true }))).to.equal('input_invalid');
    expect(change(float, intDistribution(1, 2))).to.equal('input_invalid');
    const choices = categoricalDistribution(['a', 'b']);
    expect(change(choices, categoricalDistribution(['a', 'b']))).to.equal(undefined);
    expect(change(choices, categoricalDistribution(['b', 'a']))).to.equal('input_invalid');
    expect(change(choices, float)).to.equal('input_invalid');
    expect(sameDistribution(float, floatDistribution(1, 2))).to.equal(true);
    expect(sameDistribution(float, floatDistribution(1, 3))).to.equal(false);
  });
});
