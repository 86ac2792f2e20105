// The computations that a feature spec may name. Each one says its unit, its numbers, how many bars it looks back on, and
// how to read its value from the folded windows. Method sources: realised volatility and skewness as sums of powers of
// log returns (Andersen et al. 2001; Amaya et al. 2015), Parkinson 1980 range, close location value (Chaikin).
// A computation never changes under its name, since the feature version sees names only: a new one gets a new name.

import type { BarSeries } from './barSeries.ts';
import type { FeatureInputs, PeerValues, Read } from './featureInputs.ts';
import type { FeatureEntry } from './types.ts';

/** The numbers of an entry, by name. */
export type Params = FeatureEntry['params'];

/** One computation; `Params` holds exactly the names of `params`, and `bar_ms`. */
export interface FeatureKind {
  readonly unit: string;
  readonly source: FeatureEntry['source'];
  readonly nullable: boolean;
  readonly params: readonly string[];
  /** Bars that a value depends on, the newest included. */
  readonly lookback: (params: Params) => number;
  /** Asks for the inputs once and gives back the function that reads the value. */
  readonly compile: (params: Params, inputs: FeatureInputs) => Read;
}

const oneBar = () => 1;
const barsOf = (p: Params) => p.bars!;
const returnsOf = (p: Params) => p.bars! + 1; // n returns need n + 1 closes

const bars = { source: 'bars', nullable: true, params: ['bars'], lookback: barsOf } as const;
const returns = { ...bars, lookback: returnsOf } as const;
const cross = { ...returns, source: 'cross_section' } as const;
const flag = { ...bars, nullable: false, params: [], lookback: oneBar, unit: 'flag' } as const;
const calendar = { ...flag, source: 'calendar', params: ['period_ms'] } as const;

/** Every computation by its name. */
export const featureKinds: Readonly<Record<string, FeatureKind>> = {
  log_return: {
    ...returns,
    unit: 'log_return',
    compile: (p, inputs) => logReturn(p.bars!, inputs),
  },
  /** Root of the mean squared one-bar log return; no mean is taken off. */
  realised_volatility: {
    ...returns,
    unit: 'log_return',
    compile: (p, inputs) => volatility('squaredReturn', p.bars!, 1, inputs),
  },
  /** Short over long realised volatility; NaN where the price stood still. */
  volatility_ratio: {
    ...returns,
    unit: 'ratio',
    params: ['short_bars', 'long_bars'],
    lookback: (p) => Math.max(p.short_bars!, p.long_bars!) + 1,
    compile(p, inputs) {
      const short = volatility('squaredReturn', p.short_bars!, 1, inputs);
      const long = volatility('squaredReturn', p.long_bars!, 1, inputs);
      return (s) => (long(s) === 0 ? Number.NaN : short(s) / long(s));
    },
  },
  /** Parkinson's volatility of one bar from highs and lows. */
  parkinson_volatility: {
    ...bars,
    unit: 'log_return',
    compile: (p, inputs) => volatility('squaredRange', p.bars!, 4 * Math.LN2, inputs),
  },
  /** First-order autocorrelation of log returns around zero, over n pairs (so it may pass 1); NaN where the price stood still. */
  return_autocorrelation: {
    ...returns,
    unit: 'ratio',
    lookback: (p) => p.bars! + 2,
    compile(p, inputs) {
      const products = inputs.window('sum', 'laggedProduct', p.bars!);
      const squares = inputs.window('sum', 'squaredReturn', p.bars!);
      return (s) => (squares[s] === 0 ? Number.NaN : products[s]! / squares[s]!);
    },
  },
  /** sqrt(n) * sum(r^3) / sum(r^2)^1.5; NaN where the price stood still. */
  realised_skewness: {
    ...returns,
    unit: 'ratio',
    compile(p, inputs) {
      const cubes = inputs.window('sum', 'cubedReturn', p.bars!);
      const squares = inputs.window('sum', 'squaredReturn', p.bars!);
      const root = Math.sqrt(p.bars!);
      return (s) => {
        const sum = squares[s]!;
        return sum === 0 ? Number.NaN : (root * cubes[s]!) / (sum * Math.sqrt(sum));
      };
    },
  },
  /** Where the close stands between the lowest low (-1) and the highest high (+1); 0 in an empty range. */
  close_location: {
    ...bars,
    unit: 'ratio',
    compile(p, inputs) {
      const close = inputs.window('sum', 'close', 1);
      const high = inputs.window('highest', 'high', p.bars!);
      const low = inputs.window('lowest', 'low', p.bars!);
      return (s) => {
        const range = high[s]! - low[s]!;
        return range === 0 ? 0 : (2 * close[s]! - high[s]! - low[s]!) / range;
      };
    },
  },
  volume_zscore: zscore('rootVolume'),
  quote_volume_zscore: zscore('rootQuoteVolume'),
  trades_zscore: zscore('rootTrades'),
  taker_imbalance_zscore: zscore('takerImbalance'),
  /** (buys - sells) / volume of the takers over the window; 0 where nobody traded. */
  taker_imbalance: {
    ...bars,
    unit: 'ratio',
    compile(p, inputs) {
      const buys = inputs.window('sum', 'takerBuyVolume', p.bars!);
      const volume = inputs.window('sum', 'volume', p.bars!);
      return (s) => (volume[s] === 0 ? 0 * buys[s]! : (2 * buys[s]!) / volume[s]! - 1);
    },
  },
  /** Equal-weight mean of the log returns of the other symbols whose window is whole. */
  market_return: {
    ...cross,
    unit: 'log_return',
    compile: (p, inputs) => peerReturns(p.bars!, inputs).meanOfOthers,
  },
  /** Own log return less the market's. */
  relative_strength: {
    ...cross,
    unit: 'log_return',
    compile(p, inputs) {
      const { values, meanOfOthers } = peerReturns(p.bars!, inputs);
      return (s) => values[s]! - meanOfOthers(s);
    },
  },
  /** Share of the other symbols with a lower log return; a tie counts half. */
  return_rank: {
    ...cross,
    unit: 'share',
    compile: (p, inputs) => rank(peerReturns(p.bars!, inputs)),
  },
  /** Mean of the other symbols' realised volatilities. */
  market_volatility: {
    ...cross,
    unit: 'log_return',
    compile(p, inputs) {
      const own = volatility('squaredReturn', p.bars!, 1, inputs);
      return inputs.peers(`realised_volatility ${p.bars}`, own).meanOfOthers;
    },
  },
  /** Share of the other symbols whose return window is whole: what the cross-section rests on. */
  peer_share: {
    ...cross,
    unit: 'share',
    nullable: false,
    compile(p, inputs) {
      const { countOfOthers } = peerReturns(p.bars!, inputs);
      const others = Math.max(1, inputs.symbolCount - 1);
      return (s) => countOfOthers(s) / others;
    },
  },
  /** Phase of the bar's close within a period counted from 1970-01-01 (a Thursday) UTC. */
  calendar_sine: { ...calendar, unit: 'radian_sine', compile: phase(Math.sin) },
  calendar_cosine: { ...calendar, unit: 'radian_cosine', compile: phase(Math.cos) },
  bar_missing_share: {
    ...bars,
    unit: 'share',
    nullable: false,
    compile(p, inputs) {
      const missing = inputs.window('sum', 'missing', p.bars!);
      return (s) => missing[s]! / p.bars!;
    },
  },
  taker_missing: { ...flag, compile: (_, inputs) => newest('takerMissing', inputs) },
  zero_volume: { ...flag, compile: (_, inputs) => newest('zeroVolume', inputs) },
};

function newest(series: BarSeries, inputs: FeatureInputs): Read {
  const column = inputs.window('sum', series, 1);
  return (s) => column[s]!;
}

function logReturn(n: number, inputs: FeatureInputs): Read {
  const sum = inputs.window('sum', 'logReturn', n);
  return (s) => sum[s]!;
}

function volatility(series: BarSeries, n: number, divisor: number, inputs: FeatureInputs): Read {
  const sum = inputs.window('sum', series, n);
  return (s) => Math.sqrt(sum[s]! / (n * divisor));
}

function zscore(series: BarSeries): FeatureKind {
  return {
    ...bars,
    unit: 'zscore',
    compile(p, inputs) {
      const column = inputs.window('zscore', series, p.bars!);
      return (s) => column[s]!;
    },
  };
}

function peerReturns(n: number, inputs: FeatureInputs): PeerValues {
  return inputs.peers(`log_return ${n}`, logReturn(n, inputs));
}

function rank({ values, countOfOthers }: PeerValues): Read {
  return (s) => {
    const own = values[s]!;
    if (Number.isNaN(own)) return Number.NaN;
    let below = -0.5; // the symbol ties with itself
    for (let other = 0; other < values.length; other += 1) {
      const value = values[other]!;
      if (value < own) below += 1;
      else if (value === own) below += 0.5;
    }
    const count = countOfOthers(s);
    return count === 0 ? Number.NaN : below / count;
  };
}

function phase(wave: (radians: number) => number): FeatureKind['compile'] {
  return (p, inputs) => {
    const period = p.period_ms!;
    const cell = inputs.clock((closeMs) => wave((2 * Math.PI * (closeMs % period)) / period));
    return () => cell[0]!;
  };
}
