// Everything that the report shows; the JSON beside the HTML is exactly this document.

import type { RunMetrics } from '../../core/index.ts';

/** A span of time, Unix ms, and the rows whose labels lie wholly inside it. */
export interface WindowReport {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** One fold of one splitting scheme: its fit and its leak audit. */
export interface FoldReport {
  readonly scheme: 'purged_k_fold' | 'walk_forward' | 'cpcv';
  readonly fold: number;
  readonly test_from: number;
  readonly test_to: number;
  readonly train_rows: number;
  readonly test_rows: number;
  readonly purged: number;
  readonly embargoed: number;
  /** pairs of train and test labels that overlap; anything but 0 stops the run */
  readonly overlap: number;
  readonly rounds: number;
  /** Spearman rank correlation of prediction and label on the test rows */
  readonly rank_ic: number;
  /** 1 - MSE / variance around zero of the labels of the test rows */
  readonly r2: number;
}

/** One arm in one window: stored metrics and the statistics computed from its daily returns. */
export interface ArmWindow {
  readonly metrics: RunMetrics;
  readonly statistics: ArmStatistics;
  readonly rank_ic: number | null;
}

/** Sharpe statistics of one arm in one window, every variant with its version. */
export interface ArmStatistics {
  readonly psr_2012_v1: number | null;
  readonly psr_2025_v1: number | null;
  readonly dsr_2014_v1: number | null;
  readonly min_trl_2012_days: number | 'infinite' | null;
  readonly trial_count: number;
  /** why a statistic is null */
  readonly note: string | null;
}

/** A check of a promotion rule. */
export interface RuleCheck {
  readonly rule: string;
  readonly window: 'validation' | 'forward_oos' | 'both';
  readonly passed: boolean;
  readonly value: number | null;
  readonly limit: number | null;
  readonly text: string;
}

/** One policy or control arm with its verdict; `promoted` is null for control arms. */
export interface ArmReport {
  readonly policy: string;
  readonly validation: ArmWindow;
  readonly forward_oos: ArmWindow;
  readonly promoted: boolean | null;
  readonly reasons: readonly string[];
  readonly checks: readonly RuleCheck[];
}

/** A tenth of the rows ordered by prediction: mean prediction against mean label. */
export interface CalibrationBin {
  readonly predicted: number;
  readonly realised: number;
  readonly rows: number;
}

/** The gate's answer, as its own room gives it. */
export type GateReport = Readonly<Record<string, unknown>> & {
  readonly status: 'pass' | 'fail' | 'insufficient_observation';
  readonly reasons: readonly string[];
};

/** The whole report of one retrain. */
export interface RetrainReport {
  readonly report_version: 'report_v1';
  readonly run_id: string;
  readonly name: string;
  readonly as_of: number;
  readonly finished_at: number;
  readonly run_source: string;
  readonly data_version: string;
  readonly feature_version: string;
  readonly code_version: string;
  readonly config_digest: string;
  readonly dataset_digest: string;
  readonly lineage_id: string;
  readonly seed: number;
  readonly data: {
    readonly origin: 'files' | 'store' | 'simulator';
    readonly from: number;
    readonly to: number;
    readonly timeframe: string;
    readonly symbols: readonly string[];
    readonly bars: number;
    readonly missing_bars: number;
    readonly rows: number;
    readonly sources: readonly { file: string; sha256: string; venue: string }[];
  };
  readonly windows: {
    readonly search: WindowReport;
    readonly validation: WindowReport;
    readonly forward_oos: WindowReport;
  };
  readonly oos_touches: number;
  readonly folds: readonly FoldReport[];
  readonly cpcv_paths: readonly { path: number; rank_ic: number; r2: number }[];
  readonly arms: readonly ArmReport[];
  readonly calibration: {
    readonly validation: readonly CalibrationBin[];
    readonly forward_oos: readonly CalibrationBin[];
  };
  readonly importance: readonly { name: string; gain: number; split: number }[];
  readonly promoted_policy: string | null;
  readonly gate: GateReport | null;
  readonly artifact: { readonly path: string; readonly digest: string };
  readonly baseline_digest: string;
  /** wall time of the whole run */
  readonly seconds: number;
}
