// Every Sharpe variant of the pooled record, printed whole: the judged one, and what puts it in proportion.

import { SluiceError } from '../../core/index.ts';
import { gateSharpe, sharpeOfDays } from '../../models/backtest/index.ts';
import {
  type DeflatedSharpe,
  deflatedSharpe,
  type MinTrackRecordLength,
  minTrackRecordLength,
  type ProbabilisticSharpe,
  probabilisticSharpe,
  sharpeMoments,
} from '../../models/evaluate/index.ts';
import type { EvidenceRun } from './evidence.ts';
import type { Pooled } from './pool.ts';

/** What the record says of itself; goes into verdicts as it is. */
export interface GateMetrics {
  readonly sharpe_daily: number;
  readonly sharpe_method: 'daily_agg_v1';
  readonly vol_floor_applied: boolean;
  readonly psr: ProbabilisticSharpe | null;
  readonly dsr: DeflatedSharpe | null;
  readonly min_trl: MinTrackRecordLength | null;
  readonly trial_count: number;
  readonly max_drawdown: number;
  readonly reject_rate: number;
  readonly gap_days: number;
  /** read by people, never by the gate */
  readonly diagnostics: {
    readonly sharpe_step_raw: { readonly min: number; readonly max: number };
  };
}

/** Statistics of a pooled record of at least one run. */
export function gateMetrics(
  pooled: Pooled,
  runs: readonly EvidenceRun[],
  confidence: number,
): GateMetrics {
  const sharpe = sharpeOfDays(pooled.returns);
  const raw = runs.map(({ metrics }) => metrics.sharpe_step_raw);
  return {
    sharpe_daily: gateSharpe(sharpe),
    sharpe_method: sharpe.method,
    vol_floor_applied: sharpe.volFloorApplied,
    ...credibility(pooled, confidence),
    trial_count: pooled.trials,
    max_drawdown: pooled.maxDrawdown,
    reject_rate: pooled.rejectRate,
    gap_days: pooled.gapDays,
    diagnostics: {
      sharpe_step_raw: {
        min: raw.reduce((least, value) => Math.min(least, value)),
        max: raw.reduce((most, value) => Math.max(most, value)),
      },
    },
  };
}

/**
 * PSR, DSR and MinTRL; null where the returns have no distribution to speak of (a constant, two days).
 *
 * Runs say how many trials led to them, not how the trials' Sharpe ratios spread. The spread is taken to be
 * that of skill-less trials over as many days: variance 1 / (n - 1) of a per-day Sharpe ratio.
 * @source Lopez de Prado, Lipton and Zoonekynd 2025 (variance at the null)
 */
function credibility(
  { returns, trials }: Pooled,
  confidence: number,
): Pick<GateMetrics, 'psr' | 'dsr' | 'min_trl'> {
  const moments = sharpeMoments(returns);
  const none = { psr: null, dsr: null, min_trl: null };
  if (moments === null) return none;
  try {
    return {
      psr: probabilisticSharpe(moments),
      dsr: deflatedSharpe(moments, { count: trials, sharpeVariance: 1 / (moments.n - 1) }),
      min_trl: minTrackRecordLength(moments, { confidence }),
    };
  } catch (error) {
    // Two or three different values may round to moments that no distribution has.
    if (error instanceof SluiceError && error.code === 'out_of_range') return none;
    throw error;
  }
}
