// A model without a file: linear scores, so that what a handler answers can be computed by hand.

import type { LoadedModel, LoadedNetwork, LoadedTrees } from '../../serving/load/index.ts';

/** Weights of the three columns; the second may be missing and then adds nothing. */
export const weights = [1, 10, 100] as const;

/** Weights of the fake network's window, [2 bars, 2 channels]; a missing value adds nothing. */
export const windowWeights = [1, 2, 4, 8] as const;

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
  readonly score?: LoadedTrees['score'];
  readonly nn?: Partial<LoadedNetwork>;
}

const linear = (all: readonly number[]) => (values: Float32Array, rows: number) =>
  Float64Array.from({ length: rows }, (_, row) =>
    all.reduce((sum, weight, j) => sum + weight * (values[row * all.length + j]! || 0), 0),
  );

const scoreRows = linear(weights);
const scoreWindows = linear(windowWeights);

function fakeTrees(score?: LoadedTrees['score']): LoadedTrees {
  return {
    score: score ?? (async (features, rows) => scoreRows(features, rows)),
    contributions: (row) => ({
      base: 0,
      contributions: Float64Array.of(...weights.map((weight, j) => weight * (row[j]! || 0))),
    }),
  };
}

/** Two bars of two channels `u` and `v`. */
export function fakeNetwork(changes: Partial<LoadedNetwork> = {}): LoadedNetwork {
  return {
    nTokens: 2,
    channels: ['u', 'v'],
    score: async (windows, rows) => scoreWindows(windows, rows),
    contributions: async (window) => {
      const only = (channel: number) =>
        scoreWindows(
          window.map((value, at) => (at % 2 === channel ? value : 0)),
          1,
        )[0]!;
      return { base: 0, contributions: Float64Array.of(only(0), only(1)) };
    },
    ...changes,
  };
}

/** A loaded model of trees named `liquid`, version `7`, columns `a`, `b` (nullable), `c`. */
export function fakeModel({ score }: FakeOptions = {}): LoadedModel {
  const column = (name: string, nullable: boolean) => ({
    name,
    dtype: 'float32' as const,
    unit: 'ratio',
    nullable,
    source: 'bars' as const,
  });
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
    trees: fakeTrees(score),
    network: null,
    close: async () => {},
  };
}

/** The blend that {@link fakeEnsemble} was promoted with: a quarter trees. */
export const fakeBlend = 'blend_alpha_0.25';

/** The same with a network beside the trees. */
export function fakeEnsemble(options: FakeOptions = {}): LoadedModel {
  const model = fakeModel(options);
  const policies_allowed: LoadedModel['manifest']['policies_allowed'] = [
    fakeBlend,
    'nn_only',
    'tabular_only',
  ];
  return {
    ...model,
    manifest: { ...model.manifest, policies_allowed, policy: fakeBlend },
    network: fakeNetwork(options.nn),
  };
}

/** A network without trees. */
export function fakeNetworkModel(options: FakeOptions = {}): LoadedModel {
  const model = fakeEnsemble(options);
  return {
    ...model,
    manifest: { ...model.manifest, policies_allowed: ['nn_only'], policy: 'nn_only' },
    trees: null,
  };
}
