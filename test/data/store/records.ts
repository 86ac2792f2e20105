// Rows to store, valid unless a test makes them otherwise.

import { type RunRecord, sha256Hex } from '../../../core/index.ts';
import type {
  DatasetRow,
  GateCandidate,
  ModelRow,
  OosTouch,
  PredictionRow,
} from '../../../data/store/index.ts';

let last = 0;

/** A name that no other row of this process has. */
export const unique = (stem: string): string => {
  last += 1;
  return `${stem}-${last}`;
};

export function makeRun(overrides: Partial<RunRecord> = {}): RunRecord {
  return {
    run_id: unique('run'),
    run_source: 'prod',
    score_source: 'model',
    data_regime: 'prod_live',
    status: 'completed',
    config: {
      policy: 'tabular_only',
      data_version: 'd1',
      window: { from: 1_600_000_000_000, to: 1_600_259_200_000 },
      trial_count: 4,
      trade: { cost: { fee_bps: 5 }, names: ['a', null, true] },
    },
    metrics: {
      metrics_version: 'metrics_v1',
      sharpe_daily: 1.25,
      sharpe_method: 'daily_agg_v1',
      sharpe_step_raw: 6.5,
      observation_days: 3,
      vol_floor_applied: false,
      total_return: 0.1 + 0.2,
      pnl_before_cost: 1e308,
      pnl_after_cost: -5e-324,
      cost: { fee: 1, spread: 2, slippage: 1 / 3, funding: 0 },
      max_drawdown: -0.1,
      turnover: 0.5,
      reject_rate: 0.01,
      hit_rate: 0.5,
      exposure: 0.9,
      fills: 99,
      rejects: 1,
      missing_bars: 0,
      daily: { first_day: 18_518, returns: [0.01, -0.02, 1e-17] },
    },
    lineage_id: 'lineage-1',
    artifact_digest: 'a1',
    started_at: 1_700_000_000_001,
    finished_at: 1_700_000_000_999,
    ...overrides,
  };
}

export function makeDataset(overrides: Partial<DatasetRow> = {}): DatasetRow {
  return {
    data_version: unique('data'),
    path: 'artifacts/bars/x',
    timeframe: '1h',
    row_count: 5_000_000_000,
    symbols: ['BTCUSDT', 'ETHUSDT'],
    range_from: 1_514_764_800_000,
    range_to: 1_735_689_600_000,
    venue: 'binance',
    simulated: false,
    sources: [{ sha256: 'ff', venue: 'binance' }],
    report: { gaps: 3 },
    created_at: 1_700_000_000_000,
    ...overrides,
  };
}

export function makeModel(overrides: Partial<ModelRow> = {}): ModelRow {
  return {
    artifact_digest: unique('artifact'),
    model_name: 'liquid',
    model_version: unique('v'),
    type: 'lightgbm_liquid',
    role: 'candidate',
    lineage_id: 'lineage-1',
    path: 'artifacts/models/liquid/1',
    manifest: { manifest_version: 'v1', windows: { search: { from: 1, to: 2 } } },
    created_at: 1_700_000_000_000,
    ...overrides,
  };
}

export function makeTouch(overrides: Partial<OosTouch> = {}): OosTouch {
  return {
    candidate: unique('candidate'),
    data_version: 'd1',
    window: { from: 1_600_000_000_000, to: 1_610_000_000_000 },
    run_id: unique('run'),
    touched_at: 1_700_000_000_000,
    ...overrides,
  };
}

export function makePrediction(overrides: Partial<PredictionRow> = {}): PredictionRow {
  return {
    prediction_id: unique('prediction'),
    lineage_id: 'lineage-1',
    artifact_digest: 'a1',
    model_name: 'liquid',
    model_version: '1',
    policy: 'tabular_only',
    answered_at: 1_700_000_000_123,
    symbols: ['BTCUSDT', 'ETHUSDT'],
    times: [1_700_000_000_000, 1_700_000_000_000],
    features: Float32Array.of(0.1, Number.NaN, -0, 3e38),
    sequences: null,
    scores: Float64Array.of(0.1 + 0.2, -1e-300),
    score_source: 'model',
    fallback: null,
    parts: null,
    explanation: { missing: ['b'], contributions: { a: 0.25 } },
    ...overrides,
  };
}

/** A verdict with no more than what the store looks at. */
export const makeVerdict = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  status: 'pass',
  data_regime: 'prod_live',
  filters: { include_sources: ['prod'], score_source: 'model' },
  run_ids: ['run-a', 'run-b'],
  reasons: [],
  ...overrides,
});

export function makeCandidate(overrides: Partial<GateCandidate> = {}): GateCandidate {
  return {
    candidate: sha256Hex(unique('candidate')),
    market: unique('market'),
    data_version: 'd1',
    data_regime: 'prod_live',
    config: { gbdt: { leaves: 7 } },
    stages: ['coarse', 'refine', 'confirm'].map((study_name, number) => ({
      study_name,
      number,
      value: 0.5 * number,
    })),
    lineage_id: 'l1',
    trial_count: 140,
    evidence: { dsr_2014_v1: null, windows: { coarse: { from: 1, to: 2 } } },
    registered_at: 1_700_000_000_000,
    ...overrides,
  };
}
