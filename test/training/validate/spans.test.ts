import { expect } from 'chai';
import fc from 'fast-check';
import { SluiceError } from '../../../core/index.ts';
import { type Spans, splitSpans } from '../../../training/validate/index.ts';
import { evenIntervals, meet, randomIntervals } from './intervalSets.ts';

const plainSpans = (spans: Spans) => ({
  search: [spans.search.from, spans.search.to, [...spans.search.rows]],
  validation: [spans.validation.from, spans.validation.to, [...spans.validation.rows]],
  forward_oos: [spans.forward_oos.from, spans.forward_oos.to, [...spans.forward_oos.rows]],
  purged: [...spans.purged],
  embargoed: [...spans.embargoed],
});

describe('search, validation and forward-OOS spans', () => {
  // Times 0..19 with labels of 2; cuts at 9 and 14 in both tests.
  const expected = {
    search: [0, 7, [0, 1, 2, 3, 4, 5]],
    validation: [9, 12, [9, 10]],
    forward_oos: [14, 21, [14, 15, 16, 17, 18, 19]],
    purged: [7, 8, 12, 13],
    embargoed: [6, 11],
  };

  it('are cut at shares of the time, and the earlier span gives way', () => {
    const rule = { validationFrac: 0.25, forwardOosFrac: 0.25, embargoMs: 1 };
    expect(plainSpans(splitSpans(evenIntervals(20, 2), rule))).to.deep.equal(expected);
  });

  it('are cut at dates, and the later span begins exactly there', () => {
    const rule = { validationFromMs: 9, forwardOosFromMs: 14, embargoMs: 1 };
    expect(plainSpans(splitSpans(evenIntervals(20, 2), rule))).to.deep.equal(expected);
  });

  it('are refused when one of them would be empty or the cuts make no sense', () => {
    const intervals = evenIntervals(20, 2);
    const refused = (rule: Parameters<typeof splitSpans>[1]) =>
      expect(() => splitSpans(intervals, rule))
        .to.throw(SluiceError)
        .with.property('code', 'out_of_range');
    refused({ validationFromMs: 0, forwardOosFromMs: 14, embargoMs: 0 });
    refused({ validationFromMs: 9, forwardOosFromMs: 20, embargoMs: 0 });
    refused({ validationFromMs: 9, forwardOosFromMs: 14, embargoMs: 5 });
    refused({ validationFromMs: 14, forwardOosFromMs: 9, embargoMs: 0 });
    refused({ validationFromMs: Number.NaN, forwardOosFromMs: 9, embargoMs: 0 });
    refused({ validationFrac: 0.5, forwardOosFrac: 0.5, embargoMs: 0 });
    refused({ validationFrac: 0, forwardOosFrac: 0.5, embargoMs: 0 });
    refused({ validationFrac: Number.NaN, forwardOosFrac: 0.5, embargoMs: 0 });
  });

  it('never touch, labels and embargo included, on 10,000 random sets', () => {
    let split = 0;
    const property = fc.property(randomIntervals(40), fc.nat(4), (intervals, embargoMs) => {
      const rule = { validationFrac: 0.3, forwardOosFrac: 0.3, embargoMs };
      const spans = splitOrEmpty(intervals, rule);
      if (spans === null) return;
      split += 1;
      const parts = [spans.search, spans.validation, spans.forward_oos];
      for (const [earlier, later] of [parts.slice(0, 2), parts.slice(1, 3)] as const) {
        expect(later!.from - earlier!.to).to.be.greaterThan(embargoMs);
        for (const a of earlier!.rows) {
          for (const b of later!.rows) if (meet(intervals, a, b)) expect.fail(`${a} meets ${b}`);
        }
      }
      const all = [...parts.flatMap((part) => [...part.rows]), ...spans.purged, ...spans.embargoed];
      expect(all.sort((a, b) => a - b)).to.deep.equal([...intervals.start.keys()]);
      if (embargoMs === 0) expect(spans.embargoed.length).to.equal(0);
    });
    fc.assert(property, { seed: 5, numRuns: 10_000 });
    expect(split).to.be.greaterThan(3000);
  });
});

function splitOrEmpty(...args: Parameters<typeof splitSpans>): Spans | null {
  try {
    return splitSpans(...args);
  } catch (error) {
    if (error instanceof SluiceError && error.message.includes('would be empty')) return null;
    throw error;
  }
}
