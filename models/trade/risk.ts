// Stops of the whole book as a state machine: one step per bar close, no clock, no memory of its own.

import type { RiskConfig } from './types.ts';

/** `day_stop`: flat until the first close of the next UTC day. `drawdown_stop`: flat for good. */
export type RiskPhase = 'trading' | 'day_stop' | 'drawdown_stop';

/** Where the risk limits stand after a bar. Equity in quote currency. */
export interface RiskState {
  readonly phase: RiskPhase;
  readonly peakEquity: number;
  /** whole days since 1970-01-01 */
  readonly day: number;
  readonly dayOpenEquity: number;
  readonly equity: number;
}

/** The state before the first bar. */
export function openRisk(initialEquity: number): RiskState {
  return {
    phase: 'trading',
    peakEquity: initialEquity,
    day: Number.NEGATIVE_INFINITY,
    dayOpenEquity: initialEquity,
    equity: initialEquity,
  };
}

/**
 * The state after a bar.
 * @param equity marked at the bar's close
 * @param day UTC day of the bar's OPEN, as everywhere where a step is given to a day
 */
export function stepRisk(
  state: RiskState,
  equity: number,
  day: number,
  risk: RiskConfig,
): RiskState {
  const newDay = day !== state.day;
  const dayOpenEquity = newDay ? state.equity : state.dayOpenEquity;
  const peakEquity = Math.max(state.peakEquity, equity);
  let phase: RiskPhase = newDay && state.phase === 'day_stop' ? 'trading' : state.phase;
  if (phase === 'trading' && equity <= dayOpenEquity * (1 - risk.daily_loss)) phase = 'day_stop';
  if (equity <= peakEquity * (1 - risk.max_drawdown)) phase = 'drawdown_stop';
  return { phase, peakEquity, day, dayOpenEquity, equity };
}
