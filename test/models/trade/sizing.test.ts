// Sizing by hand, by property, and deaf to its surroundings.

import { expect } from 'chai';
import fc from 'fast-check';
import { SluiceError } from '../../../core/index.ts';
import { runBacktest } from '../../../models/backtest/index.ts';
import { type SizingConfig, size, sizingSchema } from '../../../models/trade/index.ts';
import { always, randomPanel, randomScores, tradeOf } from '../backtest/market.ts';

const plain: SizingConfig = {
  gain: 2,
  entry_score: 0.1,
  exit_score: 0.05,
  smoothing: 1,
  rebalance_band: 0,
  max_weight: 0.5,
};
const from =
  (weight: number, changes: Partial<SizingConfig> = {}) =>
  (score: number) =>
    size(score, { weight }, { ...plain, ...changes });

const anySizing = fc
  .record({
    gain: fc.double({ min: 0.01, max: 10, noNaN: true }),
    entry_score: fc.double({ min: 0, max: 1, noNaN: true }),
    exit_score: fc.double({ min: 0, max: 1, noNaN: true }),
    smoothing: fc.double({ min: 0.01, max: 1, noNaN: true }),
    rebalance_band: fc.double({ min: 0, max: 0.5, noNaN: true }),
    max_weight: fc.double({ min: 0.01, max: 3, noNaN: true }),
  })
  .map((s) => ({ ...s, exit_score: s.exit_score * s.entry_score }));
const finite = fc.double({ min: -3, max: 3, noNaN: true });

describe('size', () => {
  it('turns a score into gain x score, clipped at the largest weight', () => {
    expect([-1, -0.2, 0.1, 0.2, 1].map(from(0))).to.deep.equal([-0.5, -0.4, 0.2, 0.4, 0.5]);
  });

  it('asks for no position below the entry score', () => {
    expect([-0.09, 0, 0.09].map(from(0))).to.deep.equal([0, 0, 0]);
  });

  it('keeps an open position as it is between exit and entry score, on its own side only', () => {
    expect([0.09, 0.05, 0.04, 0, -0.09].map(from(0.3))).to.deep.equal([0.3, 0.3, 0, 0, 0]);
    expect([-0.09, -0.05, -0.04, 0.09].map(from(-0.3))).to.deep.equal([-0.3, -0.3, 0, 0]);
  });

  it('turns a position around once the other side reaches the entry score', () => {
    expect(from(0.3)(-0.2)).to.equal(-0.4);
  });

  it('goes a share of the way, but closes whole', () => {
    expect(from(0.2, { smoothing: 0.25 })(0.2)).to.be.closeTo(0.25, 1e-15);
    expect(from(0.2, { smoothing: 0.25 })(0)).to.equal(0);
  });

  it('leaves changes within the band alone, but closes even a small position', () => {
    expect(from(0.35, { rebalance_band: 0.1 })(0.2)).to.equal(0.35);
    expect(from(0.25, { rebalance_band: 0.1 })(0.2)).to.equal(0.4);
    expect(from(0.05, { rebalance_band: 0.1 })(0)).to.equal(0);
  });

  it('refuses scores and weights that are not numbers', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const call of [() => from(0)(bad), () => from(bad)(1), () => from(bad)(0)]) {
        expect(call).to.throw(SluiceError).with.property('code', 'non_finite');
      }
    }
  });

  it('treats long and short alike, and never exceeds the largest weight by its own doing', () => {
    fc.assert(
      fc.property(finite, finite, anySizing, (score, weight, sizing) => {
        const target = size(score, { weight }, sizing);
        expect(size(-score, { weight: -weight }, sizing) + target).to.equal(0);
        const limit = Math.max(sizing.max_weight, Math.abs(weight));
        expect(Math.abs(target)).to.be.at.most(limit * (1 + Number.EPSILON));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('gives each of two interleaved overrides what it would give alone', () => {
    const calls = fc.array(fc.tuple(finite, finite), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(anySizing, anySizing, calls, (one, two, pairs) => {
        const alone = (sizing: SizingConfig) =>
          pairs.map(([score, weight]) => size(score, { weight }, sizing));
        const both = pairs.map(([score, weight]) => [
          size(score, { weight }, one),
          size(score, { weight }, two),
        ]);
        expect(both.map(([a]) => a)).to.deep.equal(alone(one));
        expect(both.map(([, b]) => b)).to.deep.equal(alone(two));
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it('has a schema in which the exit score cannot exceed the entry score', () => {
    const verdict = sizingSchema.safeParse({ ...plain, exit_score: 0.2 });
    expect(verdict.error?.issues[0]?.path).to.deep.equal(['exit_score']);
  });
});

describe('backtest and sizing, and the environment', () => {
  const panel = randomPanel(5, 3, 200);
  const scores = randomScores(5, panel);
  const trades = [
    tradeOf({ sizing: { gain: 0.3, max_weight: 0.3 } }),
    tradeOf({ sizing: { entry_score: 0.5 } }),
  ];
  const runAll = () => trades.map((trade) => runBacktest({ panel, scores, trade, ...always }));

  it('gives interleaved runs with different sizing what each gives alone', () => {
    const [one, two] = runAll();
    expect(runAll().concat(runAll())).to.deep.equal([one, two, one, two]);
    expect(one!.equity).to.not.deep.equal(two!.equity);
  });

  it('is not changed by any environment variable', () => {
    const quiet = runAll();
    const names = Object.keys(plain).flatMap((name) =>
      ['', 'SLUICE_', 'SIZING_', 'BACKTEST_'].flatMap((prefix) => [
        prefix + name,
        (prefix + name).toUpperCase(),
      ]),
    );
    const before = { ...process.env };
    try {
      for (const value of ['0', '1', '-7.5', 'NaN', 'true', '']) {
        for (const name of [...names, 'TZ', 'LANG', 'SIZE', 'MAX_POSITION', 'FEE_BPS', 'SEED'])
          process.env[name] = value;
        expect(runAll()).to.deep.equal(quiet);
      }
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
  });

  it('does not even read the environment', () => {
    const before = process.env;
    const read: PropertyKey[] = [];
    process.env = new Proxy(before, {
      get: (target, name) => {
        read.push(name);
        return Reflect.get(target, name);
      },
      has: (target, name) => {
        read.push(name);
        return Reflect.has(target, name);
      },
    });
    try {
      runAll();
      size(0.3, { weight: 0 }, plain);
      // the trap itself works
      expect(read).to.deep.equal([]);
      void process.env.SLUICE_GAIN;
      expect(read).to.deep.equal(['SLUICE_GAIN']);
    } finally {
      process.env = before;
    }
  });
});
