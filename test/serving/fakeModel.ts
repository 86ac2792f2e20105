// A model without a file: a linear score, so that what a handler answers can be computed by hand.

import type { LoadedModel } from '../../serving/load/index.ts';

/** Weights of the three columns; the second may be missing and then adds nothing. */
export const weights = [1, 10, 100] as const;

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
    },
    digest: 'd'.repeat(64),
    keyHint: 'k'.repeat(64),
    score:
      score ??
      (async (features, rows) =>
        Float64Array.from({ length: rows }, (_, i) => linear(features, i))),
    contributions: (features) =>
      Float64Array.of(...weights.map((weight, j) => weight * (features[j]! || 0)), 0),
    close: async () => {},
  };
}
