// What a feature is: a named, unit-carrying, versioned column computed from bars that have closed.

import type { BarPanel } from '../market/index.ts';

/** One column of the tabular row. */
export interface FeatureEntry {
  readonly name: string;
  readonly dtype: 'float32';
  /** e.g. `log_return`, `zscore`, `ratio`, `share`, `flag`, `radian_sine`. */
  readonly unit: string;
  /** True if NaN is an honest value (a window that touches a missing bar, a column the venue lacks). */
  readonly nullable: boolean;
  readonly source: 'bars' | 'cross_section' | 'calendar';
  /** Which computation, and its numbers; part of the version. */
  readonly kind: string;
  readonly params: Readonly<Record<string, number>>;
}

/** A whole feature set. Equal specs have equal `featureVersion`. */
export interface FeatureSpec {
  /** Version of the payload's layout: `feature_payload_schema_version`. */
  readonly payloadSchemaVersion: string;
  readonly entries: readonly FeatureEntry[];
  /** A row at bar t depends on bars t-lookbackBars+1 .. t and on nothing else. */
  readonly lookbackBars: number;
}

/** Computes one row per symbol from one grid time after another; the only implementation there is. */
export interface FeatureStream {
  /** Takes bar t of every symbol of the panel (after its close) and fills {@link rows}. Times must come in grid order. */
  push(panel: BarPanel, t: number): void;
  /** [S*F] rows of the last pushed time, overwritten by the next push; NaN = missing. */
  readonly rows: Float32Array;
}
