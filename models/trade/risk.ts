// Stops of the whole book as a state machine: one step per bar close, no clock, no memory of its own.

import type { RiskConfig } from './types.ts';

/** `day_stop`: flat until the first close of the next UTC day. `drawdown_stop`: flat for good. */
export type RiskPhase = 'trading' | 'day_stop' | 'drawdown_stop';

/** Where the risk limits stand after a bar; {@link stepRisk} moves it in place. Equity in quote currency. */
export interface RiskState {
  phase: RiskPhase;
  peakEquity: number;
  /** whole days since 1970-01-01 */
  day: number;
  dayOpenEquity: number;
  equity: number;
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
 * Moves the state past one bar.
 * @param equity marked at the bar's close
 * @param day UTC day of the bar's OPEN, as everywhere where a step is given to a day
 * @returns whether a stop began with this bar
 */
export function stepRisk(state: RiskState, equity: number, day: number, risk: RiskConfig): boolean {
  if (day !== state.day) {
    state.day = day;
    state.dayOpenEquity = state.equity;
    if (state.phase === 'day_stop') state.phase = 'trading';
  }
  state.equity = equity;
  if (equity > state.peakEquity) state.peakEquity = equity;
  const before = state.phase;
  if (before === 'drawdown_stop') return false;
  if (equity <= state.peakEquity * (1 - risk.max_drawdown)) state.phase = 'drawdown_stop';
  else if (equity <= state.dayOpenEquity * (1 - risk.daily_loss)) state.phase = 'day_stop';
  return state.phase !== before;
}
