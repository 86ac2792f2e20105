// All metrics of a run in the shape in which they are stored.

import type { RunMetrics } from '../../../core/index.ts';
import type { BacktestResult } from '../types.ts';
import { dailyReturns, wholeDays } from './dailyReturns.ts';
import { exposure } from './exposure.ts';
import { hitRate } from './hitRate.ts';
import { maxDrawdown } from './maxDrawdown.ts';
import { totalPnl } from './pnl.ts';
import { rejectCount, rejectRate } from './rejectRate.ts';
import { defaultVolFloorDaily, sharpeOfDays } from './sharpeDaily.ts';
import { sharpeStepRaw } from './sharpeStepRaw.ts';
import { totalReturn } from './totalReturn.ts';
import { dailyTurnover } from './turnover.ts';

/**
 * The stored metrics of a finished run; every number is finite.
 * @param timeframeMs length of the run's bars
 * @param volFloor daily volatility below which the Sharpe ratio divides by this instead
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite` | `out_of_range`
 */
export function summariseRun(
  result: BacktestResult,
  timeframeMs: number,
  volFloor = defaultVolFloorDaily,
): RunMetrics {
  const { initialEquity, equity, cost } = result;
  const steps = { ...result, timeframeMs };
  const days = wholeDays(dailyReturns(steps));
  const sharpe = sharpeOfDays(days.returns, volFloor);
  return {
    metrics_version: 'metrics_v1',
    sharpe_daily: sharpe.value,
    sharpe_method: sharpe.method,
    sharpe_step_raw: sharpeStepRaw(steps).value,
    observation_days: sharpe.observationDays,
    vol_floor_applied: sharpe.volFloorApplied,
    total_return: totalReturn(equity, initialEquity),
    pnl_before_cost: totalPnl(result.pnlBeforeCost),
    pnl_after_cost: totalPnl(result.pnl),
    cost: { fee: cost.fee, spread: cost.spread, slippage: cost.slippage, funding: cost.funding },
    max_drawdown: maxDrawdown(equity, initialEquity),
    turnover: dailyTurnover(result.turnover, timeframeMs),
    reject_rate: rejectRate(result),
    hit_rate: hitRate(result.pnlBeforeCost),
    exposure: exposure(result.gross),
    fills: result.fills,
    rejects: rejectCount(result.rejects),
    missing_bars: result.missingBars,
    daily: { first_day: days.firstDay, returns: Array.from(days.returns) },
  };
}
