// Folds by hand: every index below was written down from the rules, not copied from the program.

import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import {
  assemblePath,
  auditFold,
  combinatorialPurgedCv,
  type Fold,
  liftFold,
  purgedKFold,
  selectIntervals,
  walkForward,
} from '../../../training/validate/index.ts';
import { evenIntervals, foldByAllPairs, intervalsOf, plain } from './intervalSets.ts';

const fold = (train: number[], test: number[], purged: number[], embargoed: number[]) => ({
  train,
  test,
  purged,
  embargoed,
});

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof SluiceError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
};

describe('purged k-fold', () => {
  it('purges labels that touch the block and embargoes what starts soon after it', () => {
    const folds = purgedKFold(evenIntervals(10, 2), { folds: 3, embargoMs: 1 });
    expect(folds.map(plain)).to.deep.equal([
      fold([7, 8, 9], [0, 1, 2, 3], [4, 5], [6]),
      fold([0, 1], [4, 5, 6], [2, 3, 7, 8], [9]),
      fold([0, 1, 2, 3, 4], [7, 8, 9], [5, 6], []),
    ]);
    expect(folds.map((each) => each.testBlocks)).to.deep.equal([
      [{ from: 0, to: 5 }],
      [{ from: 4, to: 8 }],
      [{ from: 7, to: 11 }],
    ]);
  });

  it('embargoes nothing when the embargo is 0', () => {
    const folds = purgedKFold(evenIntervals(10, 2), { folds: 3, embargoMs: 0 });
    expect(folds.map(plain)).to.deep.equal([
      fold([6, 7, 8, 9], [0, 1, 2, 3], [4, 5], []),
      fold([0, 1, 9], [4, 5, 6], [2, 3, 7, 8], []),
      fold([0, 1, 2, 3, 4], [7, 8, 9], [5, 6], []),
    ]);
  });

  it('never cuts between the symbols of one time', () => {
    // Three times; symbol A at even rows with labels of 0, symbol B at odd rows with labels of 10.
    const panel = intervalsOf([
      [0, 0],
      [0, 10],
      [20, 20],
      [20, 30],
      [40, 40],
      [40, 50],
    ]);
    const folds = purgedKFold(panel, { folds: 3, embargoMs: 9 });
    expect(folds.map(plain)).to.deep.equal([
      fold([2, 3, 4, 5], [0, 1], [], []),
      fold([0, 1, 4, 5], [2, 3], [], []),
      fold([0, 1, 2, 3], [4, 5], [], []),
    ]);
    const wider = purgedKFold(panel, { folds: 3, embargoMs: 10 });
    expect(plain(wider[0]!)).to.deep.equal(fold([4, 5], [0, 1], [], [2, 3]));
  });

  it("takes the latest label end of a test block, not the last row's", () => {
    // Times 0..7; the block is rows 2 and 3, and row 2's label outlives row 3's.
    const ends = [0, 1, 6, 4, 4, 5, 6, 7];
    const intervals = intervalsOf(ends.map((end, t) => [t, end] as const));
    const right = purgedKFold(intervals, { folds: 4, embargoMs: 0 })[1]!;
    expect(plain(right)).to.deep.equal(fold([0, 1, 7], [2, 3], [4, 5, 6], []));
    expect(right.testBlocks).to.deep.equal([{ from: 2, to: 6 }]);
    // The bug: the block ends where its last row's label ends, at 4, so rows 5 and 6 train on row 2's time.
    const wrong: Fold = {
      train: Int32Array.of(0, 1, 5, 6, 7),
      test: Int32Array.of(2, 3),
      purged: Int32Array.of(4),
      embargoed: Int32Array.of(),
      testBlocks: [{ from: 2, to: ends[3]! }],
    };
    expect(auditFold(intervals, right).overlap).to.equal(0);
    expect(auditFold(intervals, wrong).overlap).to.equal(2);
  });
});

describe('combinatorial purged cross-validation', () => {
  it('tests every pair of groups, purging and embargoing after each block', () => {
    const split = combinatorialPurgedCv(evenIntervals(12, 1), {
      groups: 4,
      testGroups: 2,
      embargoMs: 1,
    });
    expect(split.testGroups).to.deep.equal([
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
      [2, 3],
    ]);
    expect(split.folds.map(plain)).to.deep.equal([
      fold([8, 9, 10, 11], [0, 1, 2, 3, 4, 5], [6], [7]),
      fold([11], [0, 1, 2, 6, 7, 8], [3, 5, 9], [4, 10]),
      fold([5, 6, 7], [0, 1, 2, 9, 10, 11], [3, 8], [4]),
      fold([0, 1, 11], [3, 4, 5, 6, 7, 8], [2, 9], [10]),
      fold([0, 1], [3, 4, 5, 9, 10, 11], [2, 6, 8], [7]),
      fold([0, 1, 2, 3, 4], [6, 7, 8, 9, 10, 11], [5], []),
    ]);
  });

  it('keeps separated test blocks separate', () => {
    // Labels of no length: nothing touches anything, so nothing may be purged.
    const intervals = evenIntervals(8, 0);
    const split = combinatorialPurgedCv(intervals, { groups: 4, testGroups: 2, embargoMs: 0 });
    const apart = split.folds[2]!;
    expect(apart.testBlocks).to.deep.equal([
      { from: 0, to: 1 },
      { from: 6, to: 7 },
    ]);
    expect(plain(apart)).to.deep.equal(fold([2, 3, 4, 5], [0, 1, 6, 7], [], []));
    // The bug: one span from the first block to the last swallows all that could train.
    const merged = { from: 0, to: 7 };
    const left = [...apart.train].filter(
      (row) => intervals.start[row]! > merged.to || intervals.end[row]! < merged.from,
    );
    expect(left).to.deep.equal([]);
  });

  it('makes one block of test groups that touch', () => {
    const split = combinatorialPurgedCv(evenIntervals(8, 0), {
      groups: 4,
      testGroups: 2,
      embargoMs: 0,
    });
    expect(split.folds[0]!.testBlocks).to.deep.equal([{ from: 0, to: 3 }]);
  });

  it('joins the folds into C(N-1, k-1) paths', () => {
    const split = combinatorialPurgedCv(evenIntervals(12, 1), {
      groups: 4,
      testGroups: 2,
      embargoMs: 1,
    });
    expect(split.paths).to.deep.equal([
      [0, 0, 1, 2],
      [1, 3, 3, 4],
      [2, 4, 5, 5],
    ]);
    // Each fold answers 100 x fold + row.
    const values = split.folds.map((each, f) =>
      Float64Array.from(each.test, (row) => 100 * f + row),
    );
    expect([...assemblePath(split, 1, values)]).to.deep.equal([
      100, 101, 102, 303, 304, 305, 306, 307, 308, 409, 410, 411,
    ]);
    expect(code(() => assemblePath(split, 3, values))).to.equal('out_of_range');
    expect(code(() => assemblePath(split, 0, values.slice(1)))).to.equal('length_mismatch');
  });
});

describe('walk-forward', () => {
  const intervals = evenIntervals(12, 1);

  it('expands: trains on all of the past, with an embargo after each earlier test block', () => {
    const folds = walkForward(intervals, { folds: 3, mode: 'expanding', embargoMs: 2 });
    expect(folds.map(plain)).to.deep.equal([
      fold([0, 1], [3, 4, 5], [2], []),
      fold([0, 1, 2, 3, 4], [6, 7, 8], [5], []),
      fold([0, 1, 2, 3, 4, 5, 6], [9, 10, 11], [8], [7]),
    ]);
  });

  it('slides: trains on the last trainMs before the block', () => {
    const folds = walkForward(intervals, { folds: 3, mode: 'sliding', trainMs: 4, embargoMs: 2 });
    expect(folds.map(plain)).to.deep.equal([
      fold([0, 1], [3, 4, 5], [2], []),
      fold([2, 3, 4], [6, 7, 8], [5], []),
      fold([5, 6], [9, 10, 11], [8], [7]),
    ]);
  });
});

describe('every splitter', () => {
  const rule = { folds: 2, embargoMs: 0 };

  it('refuses intervals that make no sense', () => {
    const split = (pairs: [number, number][]) => code(() => purgedKFold(intervalsOf(pairs), rule));
    expect(split([])).to.equal('out_of_range');
    expect(split([[0, Number.NaN]])).to.equal('non_finite');
    expect(split([[Number.NEGATIVE_INFINITY, 0]])).to.equal('non_finite');
    expect(split([[5, 4]])).to.equal('out_of_range');
    expect(
      split([
        [5, 6],
        [4, 6],
      ]),
    ).to.equal('unordered_time');
    const uneven = { start: Float64Array.of(0, 1), end: Float64Array.of(1) };
    expect(code(() => purgedKFold(uneven, rule))).to.equal('length_mismatch');
  });

  it('refuses numbers of folds, groups and milliseconds that make no sense', () => {
    const even = evenIntervals(6, 1);
    for (const folds of [0, 1, 2.5, 7, Number.NaN]) {
      expect(code(() => purgedKFold(even, { folds, embargoMs: 0 }))).to.equal('out_of_range');
    }
    for (const embargoMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(code(() => purgedKFold(even, { folds: 2, embargoMs }))).to.equal('out_of_range');
    }
    for (const testGroups of [0, 3, 1.5]) {
      const wrong = { groups: 3, testGroups, embargoMs: 0 };
      expect(code(() => combinatorialPurgedCv(even, wrong))).to.equal('out_of_range');
    }
    const tooMany = { groups: 20, testGroups: 10, embargoMs: 0 };
    expect(code(() => combinatorialPurgedCv(evenIntervals(40, 0), tooMany))).to.equal(
      'out_of_range',
    );
    const still = { folds: 2, mode: 'sliding', trainMs: 0, embargoMs: 0 } as const;
    expect(code(() => walkForward(even, still))).to.equal('out_of_range');
  });

  it('refuses to give a fold without training rows', () => {
    expect(code(() => purgedKFold(evenIntervals(6, 10), rule))).to.equal('out_of_range');
  });

  it('works on a part of the rows and lifts its folds back', () => {
    const whole = evenIntervals(20, 1);
    const rows = Int32Array.from({ length: 10 }, (_, i) => 10 + i);
    const [first] = purgedKFold(selectIntervals(whole, rows), { folds: 2, embargoMs: 1 });
    const lifted = liftFold(first!, rows);
    expect(plain(lifted)).to.deep.equal(fold([17, 18, 19], [10, 11, 12, 13, 14], [15], [16]));
    const expected = foldByAllPairs(whole, [10, 11, 12, 13, 14], 1, (row) => row >= 10);
    expect(plain(lifted)).to.deep.equal(expected);
  });
});
