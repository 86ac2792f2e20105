// Everything that the report shows; the JSON beside the HTML is exactly this document.

import type { RunMetrics } from '../../core/index.ts';
import type { BootstrapInterval } from '../../models/evaluate/index.ts';
import type { TsmixerNetwork, TsmixerShape } from '../../models/score/index.ts';

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
  /** mean daily return after cost with its stationary-bootstrap interval; null with fewer than two days */
  readonly net_return_per_day: BootstrapInterval | null;
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
  /** the joined test blocks of the walk-forward folds, each with models of its own; no rule reads it */
  readonly walk_forward: ArmWindow;
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

/** One candidate for the weight of the teacher: a network for each seed, judged on the validation rows. */
export interface LambdaCandidate {
  readonly lambda: number;
  /** mean squared error relative to that of predicting zero, mean over the seeds; the least decides */
  readonly validation_loss: number;
  /** mean over the seeds */
  readonly rank_ic: number;
  /** epochs at which the seeds' stopping losses, averaged, are least */
  readonly epochs: number;
  readonly seeds: readonly {
    readonly seed: number;
    readonly validation_loss: number;
    readonly rank_ic: number;
    readonly best_epoch: number;
    /** losses after each epoch */
    readonly curve: readonly {
      readonly epoch: number;
      readonly train: number;
      readonly stop: number | null;
    }[];
  }[];
}

/** One candidate for the weight of the trees in the blend, on validation. */
export interface AlphaCandidate {
  readonly alpha: number;
  /** mean daily return after cost; the largest decides */
  readonly net_return_per_day: number;
  readonly sharpe_daily: number;
}

/** With the teacher less without it, seed by seed, on the validation rows. */
export interface DistillationReport {
  /** weight of the teacher that is compared with 0: of those above 0 the one with the least validation loss */
  readonly lambda: number;
  readonly seeds: number;
  readonly validation_loss: PairedDifference;
  readonly rank_ic: PairedDifference;
}

/** Mean, least and largest over the seeds. */
export interface PairedDifference {
  readonly mean: number;
  readonly least: number;
  readonly largest: number;
}

/** What trained the network. */
export interface EngineReport {
  readonly name: string;
  /** what else decides its bytes */
  readonly version: string;
  readonly device: 'cpu' | 'cuda';
  /** of a GPU as its driver calls it; of a CPU the instruction set or backend */
  readonly device_name: string;
  /** of the matrix products */
  readonly precision: string;
  /** newest CUDA that the GPU's driver runs; null for a CPU */
  readonly driver: string | null;
}

/** How the network was made. */
export interface NeuralReport {
  /** absent in reports of the first versions */
  readonly engine?: EngineReport;
  readonly channels: TsmixerNetwork['channels'];
  readonly shape: TsmixerShape;
  readonly train_rows: number;
  readonly lambda: number;
  readonly epochs: number;
  readonly lambda_candidates: readonly LambdaCandidate[];
  /** null where the config tries no lambda of 0, or nothing else */
  readonly distillation: DistillationReport | null;
}

/** How network and trees were put together. */
export interface EnsembleReport {
  readonly alpha: number;
  readonly alpha_candidates: readonly AlphaCandidate[];
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
  /** null = no neural stage */
  readonly neural: NeuralReport | null;
  readonly ensemble: EnsembleReport | null;
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
