// Sharpe of single steps, annualised as if steps were independent: diagnostics only, never a gate's.

import { dayMs } from '../../../core/index.ts';
import { annualisedRatio } from './annualisedRatio.ts';
import { checkSteps, type StepSeries } from './steps.ts';

/** A Sharpe that no gate accepts: its method is not the gate's. */
export interface SharpeStepRaw {
  readonly method: 'step_raw';
  readonly value: number;
}

/**
 * mean / std(ddof = 1) of step returns x sqrt(365 days / timeframe); 0 for a constant series.
 * A step's return is its pnl over the equity at the close before it.
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite`
 */
export function sharpeStepRaw(steps: StepSeries): SharpeStepRaw {
  checkSteps(steps);
  const returns = stepReturns(steps);
  const { value, volFloorApplied } = annualisedRatio(
    returns,
    (365 * dayMs) / steps.timeframeMs,
    Number.MIN_VALUE,
  );
  return { method: 'step_raw', value: volFloorApplied ? 0 : value };
}

function stepReturns({ pnl, equity, initialEquity }: StepSeries): Float64Array {
  return pnl.map((change, k) => {
    const before = k === 0 ? initialEquity : equity[k - 1]!;
    return before > 0 ? change / before : 0;
  });
}
