// A model without a file: a linear score, so that what a handler answers can be computed by hand.

import type { LoadedModel } from '../../serving/load/index.ts';

/** Weights of the three columns; the second may be missing and then adds nothing. */
export const weights = [1, 10, 100] as const;

/** Sizing that asks for twice the score, at most fully long or short, at no cost. */
const trade: LoadedModel['manifest']['trade'] = {
  sizing: {
    gain: 2,
    entry_score: 0.01,
    exit_score: 0,
    smoothing: 1,
    rebalance_band: 0,
    max_weight: 1,
  },
  cost: {
    fee_bps: { maker: 0, taker: 0 },
    maker_frac: 0,
    half_spread_bps: 0,
    slippage: { coefficient_bps: 0, exponent: 1 },
    funding_bps_8h: 0,
  },
  constraint: {
    max_gross: 1,
    max_turnover_per_step: 1,
    min_notional: 0,
    lot_size: 0,
    max_participation: 1,
  },
  risk: { max_drawdown: 1, daily_loss: 1 },
  initial_equity: 1,
};

/** What replaces parts of the fake. */
export interface FakeOptions {
  readonly score?: LoadedModel['score'];
}

/** A loaded model named `liquid`, version `7`, columns `a`, `b` (nullable), `c`. */
export function fakeModel({ score }: FakeOptions = {}): LoadedModel {
  const column = (name: string, nullable: boolean) => ({
    name,
    dtype: 'float32' as const,
    unit: 'ratio',
    nullable,
    source: 'bars' as const,
  });
  const linear = (features: Float32Array, row: number) =>
    weights.reduce((sum, weight, j) => sum + weight * (features[row * 3 + j]! || 0), 0);
  return {
    manifest: {
      model_name: 'liquid',
      model_version: '7',
      lineage_id: 'lineage-1',
      feature_payload_schema_version: 'payload_v1',
      feature_version: 'f-abc',
      data_version: 'd-abc',
      symbols: ['BTCUSDT', 'ETHUSDT'],
      feature_schema: [column('a', false), column('b', true), column('c', false)],
      policies_allowed: ['tabular_only'],
      policy: 'tabular_only',
      timeframe: '1h',
      feature_spec: {},
      trade,
      expires_at: 2_000_000_000_000,
    },
    digest: 'd'.repeat(64),
    keyHint: 'k'.repeat(64),
    score:
      score ??
      (async (features, rows) =>
        Float64Array.from({ length: rows }, (_, i) => linear(features, i))),
    contributions: (row) => ({
      base: 0,
      contributions: Float64Array.of(...weights.map((weight, j) => weight * (row[j]! || 0))),
    }),
    close: async () => {},
  };
}
