// MinTRL: how many days of such returns make it credible that the true Sharpe ratio exceeds a benchmark.

import { SluiceError } from '../../core/index.ts';
import { normalQuantile } from './normal.ts';
import type { SharpeMoments } from './sharpeMoments.ts';
import { sharpeVariance2012, sharpeVariance2025 } from './sharpeVariance.ts';

/** Goes into reports as it is. */
export interface MinTrackRecordLength {
  readonly version: 'min_trl_2012_v1' | 'min_trl_2025_v1';
  /** not rounded; `infinite` where the ratio does not exceed the benchmark: no length would do */
  readonly days: number | 'infinite';
  readonly confidence: number;
  /** per day */
  readonly benchmark_sharpe: number;
}

/** The question: which benchmark (per day), how sure. */
export interface TrackRecordRule {
  readonly benchmarkSharpe?: number;
  readonly confidence?: number;
}

/**
 * 1 + (1 - skew SR + (kurtosis - 1)/4 SR^2) (z / (SR - benchmark))^2; default: 95 % sure to exceed 0.
 * @throws SluiceError `out_of_range` | `non_finite`
 * @source Bailey and Lopez de Prado 2012
 */
export function minTrackRecordLength(
  moments: SharpeMoments,
  rule: TrackRecordRule = {},
): MinTrackRecordLength {
  const variance = sharpeVariance2012(moments);
  return { version: 'min_trl_2012_v1', ...length(moments.sharpe, variance, 1, rule) };
}

/**
 * The same question with the variance taken at the benchmark and aware of autocorrelation.
 * @throws SluiceError `out_of_range` | `non_finite`
 * @source Lopez de Prado, Lipton and Zoonekynd 2025
 */
export function minTrackRecordLength2025(
  moments: SharpeMoments,
  rule: TrackRecordRule = {},
): MinTrackRecordLength {
  const variance = sharpeVariance2025(moments, rule.benchmarkSharpe ?? 0);
  return { version: 'min_trl_2025_v1', ...length(moments.sharpe, variance, 0, rule) };
}

function length(
  sharpe: number,
  variance: number,
  extraDays: number,
  { benchmarkSharpe = 0, confidence = 0.95 }: TrackRecordRule,
): Omit<MinTrackRecordLength, 'version'> {
  if (!(confidence > 0.5 && confidence < 1)) {
    throw new SluiceError('out_of_range', `Confidence lies in (0.5, 1); found ${confidence}.`);
  }
  const ratio = normalQuantile(confidence) / (sharpe - benchmarkSharpe);
  const days = extraDays + variance * ratio * ratio;
  const reachable = sharpe > benchmarkSharpe && Number.isFinite(days);
  return { days: reachable ? days : 'infinite', confidence, benchmark_sharpe: benchmarkSharpe };
}
