// The feature sets that Sluice ships. Windows are counted in bars; the bar length is part of every entry, so that a set
// declared for one timeframe is never fed another.

import { dayMs } from '../../core/index.ts';
import { featureKinds, type Params } from './featureKind.ts';
import type { FeatureEntry, FeatureSpec } from './types.ts';

/** What a feature set is made for. */
export interface BarFeatureOptions {
  /** Cross-sectional features are declared from two symbols on. */
  readonly symbolCount: number;
  readonly timeframeMs: number;
}

/** Momentum, volatility, range, volume, taker flow, cross-section, calendar and missingness over up to 168 bars. */
export function barFeaturesV1({ symbolCount, timeframeMs }: BarFeatureOptions): FeatureSpec {
  const declare = declareFor(timeframeMs);
  const over = (kind: string, windows: readonly number[]) =>
    windows.map((bars) => declare(`${kind}_${bars}`, kind, { bars }));
  const entries = [
    ...over('log_return', [1, 2, 4, 8, 12, 24, 48, 96, 168]),
    ...over('realised_volatility', [12, 24, 96, 168]),
    declare('volatility_ratio_12_96', 'volatility_ratio', { short_bars: 12, long_bars: 96 }),
    ...over('parkinson_volatility', [1, 24]),
    ...over('return_autocorrelation', [48]),
    ...over('realised_skewness', [96]),
    ...over('close_location', [1, 24, 168]),
    ...over('volume_zscore', [24, 168]),
    ...over('quote_volume_zscore', [168]),
    ...over('trades_zscore', [24, 168]),
    ...over('taker_imbalance', [1, 24]),
    ...over('taker_imbalance_zscore', [24, 168]),
    ...(symbolCount < 2 ? [] : crossSection(over)),
    ...calendar(declare, 'hour_of_day', dayMs, timeframeMs),
    ...calendar(declare, 'day_of_week', 7 * dayMs, timeframeMs),
    ...over('bar_missing_share', [169]),
    declare('taker_missing', 'taker_missing', {}),
    declare('zero_volume', 'zero_volume', {}),
  ];
  return toSpec('bar_features_v1', entries);
}

/** A few returns and volatilities of the symbol alone: the frozen baseline's features. */
export function barFeaturesBaseline({ timeframeMs }: BarFeatureOptions): FeatureSpec {
  const declare = declareFor(timeframeMs);
  const over = (kind: string, windows: readonly number[]) =>
    windows.map((bars) => declare(`${kind}_${bars}`, kind, { bars }));
  return toSpec('bar_features_baseline_v1', [
    ...over('log_return', [1, 4, 24, 168]),
    ...over('realised_volatility', [24, 168]),
  ]);
}

type Declare = (name: string, kind: string, params: Params) => FeatureEntry;

const declareFor =
  (timeframeMs: number): Declare =>
  (name, kind, params) => {
    const { unit, nullable, source } = featureKinds[kind]!;
    const all = { ...params, bar_ms: timeframeMs };
    return { name, dtype: 'float32', unit, nullable, source, kind, params: all };
  };

function crossSection(
  over: (kind: string, windows: readonly number[]) => FeatureEntry[],
): FeatureEntry[] {
  return [
    ...over('market_return', [1, 4, 24]),
    ...over('relative_strength', [24, 168]),
    ...over('return_rank', [24]),
    ...over('market_volatility', [24]),
    ...over('peer_share', [24]),
  ];
}

/** Sine and cosine of a period; nothing for bars as long as the period, where the phase never moves. */
function calendar(
  declare: Declare,
  name: string,
  periodMs: number,
  timeframeMs: number,
): FeatureEntry[] {
  if (timeframeMs >= periodMs) return [];
  return [
    declare(`${name}_sin`, 'calendar_sine', { period_ms: periodMs }),
    declare(`${name}_cos`, 'calendar_cosine', { period_ms: periodMs }),
  ];
}

function toSpec(payloadSchemaVersion: string, entries: readonly FeatureEntry[]): FeatureSpec {
  const lookbacks = entries.map(({ kind, params }) => featureKinds[kind]!.lookback(params));
  return { payloadSchemaVersion, entries, lookbackBars: Math.max(...lookbacks) };
}
