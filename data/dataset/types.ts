// Rows ready for training: features, label, label interval, lineage; and windows gathered by index.

import type { FeatureSpec } from '../feature/index.ts';
import type { BarPanel } from '../market/index.ts';

/** What is predicted. The fill is the next bar's open, so the label starts there. */
export interface LabelSpec {
  /** Label of bar t = open[t+1+horizonBars] / open[t+1] - 1 (simple return, before any cost). */
  readonly horizonBars: number;
  /** Divide by the realised volatility of one bar over this many bars up to t, times sqrt(horizonBars); null = do not. */
  readonly volatilityBars: number | null;
}

/** n rows in time order (ties in symbol order). All arrays have n entries unless said otherwise. */
export interface Dataset {
  readonly panel: BarPanel;
  readonly featureSpec: FeatureSpec;
  readonly featureVersion: string;
  readonly labelSpec: LabelSpec;
  readonly rows: number;
  /** [n*F] row-major, NaN = missing. */
  readonly features: Float32Array;
  /** [n] label; always finite (rows whose label has no bar are left out). */
  readonly labels: Float32Array;
  /** [n] what the label was divided by (1 without scaling), so that a return can be recovered. */
  readonly labelScale: Float32Array;
  readonly symbolIndex: Uint16Array;
  /** [n] grid time t of the row's newest bar. */
  readonly timeIndex: Int32Array;
  /** [n] open of the oldest bar that a feature may have seen, Unix ms. */
  readonly featureFromMs: Float64Array;
  /** [n] label interval [t0, t1], Unix ms: t0 = open of bar t+1 (the decision), t1 = open of bar t+1+horizon. */
  readonly t0: Float64Array;
  readonly t1: Float64Array;
  /** [n] 1 if all bars of the row's lookback are there and clean. */
  readonly clean: Uint8Array;
}
