// In and out of the backtest engine.

import type { BarPanel } from '../../data/market/index.ts';
import type { TradeConfig } from '../trade/index.ts';

/** One run: decisions at the close of bars whose open lies in [fromMs, toMs), fills at the next bar's open. */
export interface BacktestInput {
  readonly panel: BarPanel;
  /** [S*T] score known at the close of bar t; NaN = no decision is made (the position is kept). */
  readonly scores: Float64Array;
  readonly fromMs: number;
  readonly toMs: number;
  readonly trade: TradeConfig;
}

/** What happened, per step. K steps (bars of the window); all arrays [K] unless said otherwise. */
export interface BacktestResult {
  /** close of the step's bar, Unix ms UTC, strictly increasing */
  readonly closeMs: Float64Array;
  /** marked at the step's close, quote currency */
  readonly equity: Float64Array;
  /** equity change of the step, after and before cost, quote currency */
  readonly pnl: Float64Array;
  readonly pnlBeforeCost: Float64Array;
  /** traded notional / equity */
  readonly turnover: Float64Array;
  /** sum of absolute weights after the step */
  readonly gross: Float64Array;
  /** [S*K] signed weight held at the close, symbol-major */
  readonly weights: Float32Array;
  readonly cost: {
    readonly fee: number;
    readonly spread: number;
    readonly slippage: number;
    readonly funding: number;
  };
  readonly fills: number;
  readonly rejects: Readonly<Record<RejectReason, number>>;
  readonly orders: number;
  /** bars that were missing while a position was open or a decision was due */
  readonly missingBars: number;
  readonly initialEquity: number;
  readonly stopped: { readonly drawdownAtMs: number | null; readonly dailyLossDays: number };
}

/** Why an order was refused. */
export type RejectReason =
  | 'max_gross'
  | 'max_turnover'
  | 'min_notional'
  | 'lot_size'
  | 'participation'
  | 'no_bar'
  | 'risk_stop';
