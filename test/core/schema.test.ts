import { expect } from 'chai';
import { z } from 'zod';
import {
  asSluiceError,
  nearest,
  parseStrict,
  parseTimeframe,
  SluiceError,
} from '../../core/index.ts';

const schema = z.strictObject({
  windows: z.strictObject({ embargo_bars: z.int() }),
  items: z.array(z.strictObject({ venue: z.string() })),
});

const messageOf = (value: unknown): string => {
  try {
    parseStrict(schema, value, 'config');
  } catch (thrown) {
    return asSluiceError(thrown).message;
  }
  return 'accepted';
};

describe('parseStrict', () => {
  it('returns what fits the schema', () => {
    const value = { windows: { embargo_bars: 3 }, items: [{ venue: 'x' }] };
    expect(parseStrict(schema, value, 'config')).to.deep.equal(value);
  });

  it('names an unknown key, its place and the nearest known key', () => {
    const value = {
      windows: { embargo_bar: 3, embargo_bars: 3 },
      items: [{ venue: 'x', venu: 1 }],
    };
    expect(messageOf(value)).to.contain(
      'windows: unknown key "embargo_bar", did you mean "embargo_bars"?',
    );
    expect(messageOf(value)).to.contain('items.0: unknown key "venu", did you mean "venue"?');
  });

  it('collects all violations', () => {
    expect(messageOf({ windows: {}, items: 'x', extra: 1 }).split(';')).to.have.length(3);
  });
});

describe('nearest', () => {
  it('offers a slip of the pen and nothing far away', () => {
    expect(nearest('valdation', ['validation', 'search'])).to.equal('validation');
    expect(nearest('zebra', ['validation', 'search'])).to.equal(undefined);
  });
});

describe('parseTimeframe', () => {
  it('reads minutes, hours and days', () => {
    expect([parseTimeframe('5m'), parseTimeframe('1h'), parseTimeframe('1d')]).to.deep.equal([
      300_000, 3_600_000, 86_400_000,
    ]);
  });

  for (const bad of ['', 'h', '0h', '1.5h', '1w', '-1h']) {
    it(`refuses "${bad}"`, () => {
      expect(() => parseTimeframe(bad)).to.throw(SluiceError);
    });
  }
});
