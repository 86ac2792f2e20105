// The labels of a run: every way in which evidence can be less than it looks.

import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { type BarSource, barQuality } from '../../../data/market/index.ts';
import {
  checkRunSource,
  dataRegime,
  type RunFacts,
  scoreSource,
  sourcesOf,
} from '../../../models/backtest/index.ts';
import { newYear, panelOf } from './market.ts';

const source = (venue: string): BarSource => ({ file: `${venue}.csv`, sha256: 'aa', venue });
const span = (from: number, to: number) => ({ from, to });

describe('data_regime', () => {
  const fitted = span(100, 200);
  const regime = (from: number, to: number, venues: string[]) =>
    dataRegime({ sources: venues.map(source), evaluation: span(from, to), fitted });

  it('is prod_live only wholly after the fitted data and from real venues alone', () => {
    expect(regime(200, 300, ['binance_spot'])).to.equal('prod_live');
    expect(regime(200, 300, ['binance_spot', 'kraken_spot'])).to.equal('prod_live');
  });

  it('is maintenance_replay as soon as it overlaps the fitted data, by one millisecond even', () => {
    for (const [from, to] of [
      [199, 300],
      [0, 101],
      [120, 150],
      [0, 400],
      [100, 200],
    ] as const) {
      expect(regime(from, to, ['binance_spot']), `${from}-${to}`).to.equal('maintenance_replay');
      expect(regime(from, to, ['simulator']), `${from}-${to}`).to.equal('maintenance_replay');
    }
  });

  it('is mixed in between: a source that is no venue, no source at all, or data from before', () => {
    expect(regime(200, 300, ['binance_spot', 'simulator'])).to.equal('mixed');
    expect(regime(200, 300, ['unknown'])).to.equal('mixed');
    expect(regime(200, 300, [''])).to.equal('mixed');
    expect(regime(200, 300, [])).to.equal('mixed');
    expect(regime(0, 100, ['binance_spot'])).to.equal('mixed');
  });

  it('asks only for real venues where nothing was fitted', () => {
    const facts = { evaluation: span(0, 10), fitted: null };
    expect(dataRegime({ ...facts, sources: [source('binance_spot')] })).to.equal('prod_live');
    expect(dataRegime({ ...facts, sources: [source('simulator')] })).to.equal('mixed');
  });

  it('refuses spans that are none', () => {
    for (const bad of [
      span(5, 5),
      span(6, 5),
      span(Number.NaN, 5),
      span(0, Number.POSITIVE_INFINITY),
    ]) {
      const call = () => dataRegime({ sources: [], evaluation: bad, fitted });
      expect(call).to.throw(SluiceError).with.property('code', 'out_of_range');
    }
  });

  it('reads the sources of the bars that are there and inside the span, and no others', () => {
    const panel = {
      ...panelOf(
        [
          [[1, 1], null, [1, 1]],
          [
            [1, 1],
            [1, 1],
            [1, 1],
          ],
        ],
        { timeframeMs: 1 },
      ),
      sources: ['a', 'b', 'c', 'd'].map(source),
      sourceIndex: Uint8Array.of(0, 1, 2, 0, 3, 3),
    };
    expect(panel.quality[1]).to.equal(barQuality.missing);
    const venues = (from: number, to: number) =>
      sourcesOf(panel, span(newYear + from, newYear + to)).map(({ venue }) => venue);
    expect(venues(0, 3)).to.deep.equal(['a', 'c', 'd']);
    expect(venues(1, 2)).to.deep.equal(['d']);
  });
});

describe('score_source', () => {
  it('is model only when the artifact scored every decision, and there was one', () => {
    expect(scoreSource({ decisions: 5, scoredByModel: 5 })).to.equal('model');
    expect(scoreSource({ decisions: 5, scoredByModel: 4 })).to.equal('fallback');
    expect(scoreSource({ decisions: 0, scoredByModel: 0 })).to.equal('fallback');
  });

  it('refuses counts that cannot be', () => {
    for (const [decisions, scoredByModel] of [
      [1, 2],
      [1, -1],
      [1.5, 1],
      [Number.NaN, 0],
    ] as const) {
      expect(() => scoreSource({ decisions, scoredByModel })).to.throw(SluiceError);
    }
  });
});

describe('run_source', () => {
  const clean: RunFacts = { simulated: false, dirtyTree: false, signed: true, registered: true };

  it('is prod only for real data, clean code and a signed, registered artifact', () => {
    expect(checkRunSource('prod', clean)).to.deep.equal({ ok: true, runSource: 'prod' });
    for (const broken of [
      { simulated: true },
      { dirtyTree: true },
      { signed: false },
      { registered: false },
    ]) {
      const verdict = checkRunSource('prod', { ...clean, ...broken });
      expect(verdict.ok ? [] : verdict.violations, JSON.stringify(broken)).to.have.length(1);
    }
  });

  it('names every reason at once', () => {
    const worst = { simulated: true, dirtyTree: true, signed: false, registered: false };
    const verdict = checkRunSource('prod', worst);
    expect(verdict.ok ? [] : verdict.violations).to.have.length(4);
  });

  it('is smoke for simulated data, whatever else was declared', () => {
    for (const declared of ['maintenance', 'smoke', 'async_test'] as const) {
      const facts = { ...clean, dirtyTree: true, signed: false };
      expect(checkRunSource(declared, facts)).to.deep.equal({ ok: true, runSource: declared });
      const simulated = checkRunSource(declared, { ...facts, simulated: true });
      expect(simulated).to.deep.equal({ ok: true, runSource: 'smoke' });
    }
  });
});
