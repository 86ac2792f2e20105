// Invariants of all splitters on random interval sets, against brute force over all pairs of rows.

import { expect } from 'chai';
import fc from 'fast-check';
import { SluiceError } from '../../../core/index.ts';
import {
  assemblePath,
  auditFold,
  combinatorialPurgedCv,
  type Fold,
  purgedKFold,
  type SampleIntervals,
  walkForward,
} from '../../../training/validate/index.ts';
import {
  countTimes,
  foldByAllPairs,
  meet,
  plain,
  randomIntervals,
  runEnds,
} from './intervalSets.ts';

const runs = { numRuns: 10_000 };
const embargo = fc.oneof(fc.constant(0), fc.nat(6));

/** The folds, or null if one of them has nothing to train on, which is refused. */
function foldsOrNull<T>(split: () => T): T | null {
  try {
    return split();
  } catch (error) {
    if (error instanceof SluiceError && error.message.startsWith('A fold must keep rows'))
      return null;
    throw error;
  }
}

/** Groups of whole times, numbers of times equal to within one, longer ones first. */
function groupsByHand({ start }: SampleIntervals, count: number): number[][] {
  const times = [...new Set(start)];
  const groups: number[][] = Array.from({ length: count }, () => []);
  const sizes = groups.map(
    (_, g) => Math.floor(times.length / count) + (g < times.length % count ? 1 : 0),
  );
  const groupOfTime = sizes.flatMap((size, g) => Array<number>(size).fill(g));
  start.forEach((time, row) => {
    groups[groupOfTime[times.indexOf(time)]!]!.push(row);
  });
  return groups;
}

/** Deep equality by text: chai's own takes most of the time of 10,000 runs. */
function expectSame(found: unknown, wanted: unknown): void {
  expect(JSON.stringify(found)).to.equal(JSON.stringify(wanted));
}

/** Compares with brute force; a fold without training rows must have been refused. */
function expectFolds(folds: readonly Fold[] | null, wanted: ReturnType<typeof plain>[]): void {
  if (folds === null) expect(wanted.some(({ train }) => train.length === 0)).to.equal(true);
  else expectSame(folds.map(plain), wanted);
}

function expectNoLeak(intervals: SampleIntervals, folds: readonly Fold[], embargoMs: number): void {
  for (const fold of folds) {
    const audit = auditFold(intervals, fold);
    expect(audit).to.include({ overlap: 0, shared: 0 });
    if (audit.gap_after_ms !== null) expect(audit.gap_after_ms).to.be.greaterThan(embargoMs);
  }
}

describe('splitters on 10,000 random interval sets', () => {
  it('k-fold: tests each row once, equals brute force, leaks nothing', () => {
    const property = fc.property(
      randomIntervals(40),
      fc.integer({ min: 2, max: 5 }),
      embargo,
      (intervals, folds, embargoMs) => {
        fc.pre(countTimes(intervals) >= folds);
        const split = foldsOrNull(() => purgedKFold(intervals, { folds, embargoMs }));
        const groups = groupsByHand(intervals, folds);
        expectFolds(
          split,
          groups.map((test) => foldByAllPairs(intervals, test, embargoMs)),
        );
        if (split === null) return;
        expectNoLeak(intervals, split, embargoMs);
        const tested = split.flatMap((fold) => [...fold.test]);
        expect(tested).to.deep.equal([...intervals.start.keys()]);
      },
    );
    fc.assert(property, { ...runs, seed: 1 });
  });

  it('k-fold: an embargo of 0 is the identity, a longer one only moves rows out of train', () => {
    const property = fc.property(randomIntervals(40), fc.nat(6), (intervals, embargoMs) => {
      fc.pre(countTimes(intervals) >= 3);
      const split = foldsOrNull(() => [
        purgedKFold(intervals, { folds: 3, embargoMs: 0 }),
        purgedKFold(intervals, { folds: 3, embargoMs }),
      ]);
      fc.pre(split !== null);
      const [without, withIt] = split!;
      without!.forEach((fold, i) => {
        const other = withIt![i]!;
        expect(fold.embargoed.length).to.equal(0);
        expect([...other.purged]).to.deep.equal([...fold.purged]);
        const back = [...other.train, ...other.embargoed].sort((a, b) => a - b);
        expect(back).to.deep.equal([...fold.train]);
      });
    });
    fc.assert(property, { ...runs, seed: 2 });
  });

  it('CPCV: equals brute force, leaks nothing, and each path covers every row once', () => {
    const property = fc.property(
      randomIntervals(30),
      fc.constantFrom([4, 2], [5, 2], [4, 3], [3, 1]),
      embargo,
      (intervals, [groups, testGroups], embargoMs) => {
        fc.pre(countTimes(intervals) >= groups!);
        const rule = { groups: groups!, testGroups: testGroups!, embargoMs };
        const split = foldsOrNull(() => combinatorialPurgedCv(intervals, rule));
        fc.pre(split !== null);
        const rowsOfGroup = groupsByHand(intervals, groups!);
        const wanted = split!.testGroups.map((chosen) =>
          foldByAllPairs(
            intervals,
            chosen.flatMap((group) => rowsOfGroup[group]!),
            embargoMs,
          ),
        );
        expectFolds(split!.folds, wanted);
        expectNoLeak(intervals, split!.folds, embargoMs);
        const values = split!.folds.map((fold, f) =>
          Float64Array.from(fold.test, (row) => f * 1000 + row),
        );
        const answers = split!.paths.map((_, path) => assemblePath(split!, path, values));
        // Each path answers for each row, and each fold that tests a row answers on exactly one path.
        const rows = [...intervals.start.keys()];
        const answering = rows.map((row) => answers.map((path) => (path[row]! - row) / 1000));
        const testing: number[][] = rows.map(() => []);
        split!.folds.forEach((fold, f) => {
          for (const row of fold.test) testing[row]!.push(f);
        });
        expectSame(answering, testing);
      },
    );
    fc.assert(property, { ...runs, seed: 3 });
  });

  it('walk-forward: equals brute force, trains on the past only, leaks nothing', () => {
    const property = fc.property(
      randomIntervals(40),
      fc.integer({ min: 1, max: 4 }),
      embargo,
      fc.option(fc.integer({ min: 1, max: 30 }), { nil: null }),
      (intervals, folds, embargoMs, trainMs) => {
        fc.pre(countTimes(intervals) > folds);
        const mode =
          trainMs === null
            ? ({ mode: 'expanding' } as const)
            : ({ mode: 'sliding', trainMs } as const);
        const split = foldsOrNull(() => walkForward(intervals, { folds, embargoMs, ...mode }));
        const tests = groupsByHand(intervals, folds + 1).slice(1);
        const wanted = tests.map((test, i) => {
          const from = intervals.start[test[0]!]!;
          const candidate = (row: number) =>
            intervals.start[row]! < from && intervals.start[row]! >= from - (trainMs ?? 1e9);
          const earlier = tests.slice(0, i).flatMap((rows) => runEnds(intervals, rows));
          return foldByAllPairs(intervals, test, embargoMs, candidate, earlier);
        });
        expectFolds(split, wanted);
        if (split === null) return;
        expectNoLeak(intervals, split, 0);
        for (const fold of split) expect(fold.train.at(-1)).to.be.lessThan(fold.test[0]!);
      },
    );
    fc.assert(property, { ...runs, seed: 4 });
  });
});

describe('the leak audit', () => {
  it('counts what brute force counts, for right and wrong folds alike, on 10,000 random sets', () => {
    const property = fc.property(
      randomIntervals(25),
      fc.infiniteStream(fc.nat(2)),
      (intervals, roles) => {
        const [train, test]: [number[], number[]] = [[], []];
        intervals.start.forEach((_, row) => {
          const { value } = roles.next();
          if (value !== 0) train.push(row);
          if (value !== 1) test.push(row);
        });
        const pairs = train.flatMap((a) => test.filter((b) => meet(intervals, a, b)));
        const gaps = (from: readonly number[], to: readonly number[]) =>
          from.flatMap((a) =>
            to.map((b) => intervals.start[b]! - intervals.end[a]!).filter((gap) => gap > 0),
          );
        const least = (values: number[]) => (values.length === 0 ? null : Math.min(...values));
        const audit = auditFold(intervals, foldOf(train, test));
        expect(audit.overlap).to.equal(pairs.length);
        expect(audit.shared).to.equal(train.filter((row) => test.includes(row)).length);
        expect(audit.gap_before_ms).to.equal(least(gaps(train, test)));
        expect(audit.gap_after_ms).to.equal(least(gaps(test, train)));
      },
    );
    fc.assert(property, { ...runs, seed: 6 });
  });

  it('sees one planted row', () => {
    const hours = 2000;
    const intervals = {
      start: Float64Array.from({ length: hours }, (_, t) => t),
      end: Float64Array.from({ length: hours }, (_, t) => t + 24),
    };
    const [, fold] = purgedKFold(intervals, { folds: 4, embargoMs: 12 });
    expect(auditFold(intervals, fold!)).to.deep.equal({
      train: 2000 - 500 - 48 - 12,
      test: 500,
      purged: 48,
      embargoed: 12,
      unused: 0,
      shared: 0,
      overlap: 0,
      gap_before_ms: 1,
      gap_after_ms: 13,
    });
    const planted = { ...fold!, train: Int32Array.of(...fold!.train, fold!.purged.at(-1)!) };
    expect(auditFold(intervals, planted).overlap).to.equal(1);
  });
});

const foldOf = (train: readonly number[], test: readonly number[]): Fold => ({
  train: Int32Array.from(train),
  test: Int32Array.from(test),
  purged: new Int32Array(),
  embargoed: new Int32Array(),
  testBlocks: [],
});
