// The mutable state of one run: what is held, what is asked for, what has been counted so far.

import { openRisk, type RiskState } from '../trade/index.ts';
import type { BacktestInput, BacktestResult, RejectReason } from './types.ts';
import { type StepRange, stepRange } from './window.ts';

/**
 * One run under way. Money in quote currency, quantities in base currency; S symbols, K steps.
 * Numbers that change stand here and in no nested object: there V8 may allocate one per change.
 */
export interface Book extends StepRange {
  readonly input: BacktestInput;
  /** [S] held */
  readonly quantity: Float64Array;
  /** [S] last close seen; 0 before the first */
  readonly mark: Float64Array;
  /** [S] weight that sizing asked for at this close */
  readonly target: Float64Array;
  /** [S] quantity to hold once the order on its way is filled */
  readonly wanted: Float64Array;
  /** [S] quote volume that the order on its way was checked against */
  readonly liquidity: Float64Array;
  /** [S] the symbols that ask for an order at this close; the first `asked` hold */
  readonly asking: Int32Array;
  asked: number;
  /** [S] the symbols whose orders are on their way; the first `sentCount` hold */
  readonly sent: Int32Array;
  sentCount: number;
  cash: number;
  /** at the last close that was settled */
  equity: number;
  /** sum of absolute weights, orders on their way included */
  gross: number;
  readonly risk: RiskState;
  /** first open that belongs to another UTC day than `risk.day`, Unix ms */
  dayEndMs: number;
  /** first close at which funding may fall due, Unix ms; infinite where none is charged */
  fundingMs: number;
  /** notional ordered at this close so far, share of equity */
  ordered: number;
  orders: number;
  fills: number;
  missingBars: number;
  dailyLossDays: number;
  drawdownAtMs: number | null;
  /** the four costs, quote currency */
  fee: number;
  spread: number;
  slippage: number;
  funding: number;
  readonly rejects: Record<RejectReason, number>;
  readonly out: Pick<
    BacktestResult,
    'closeMs' | 'equity' | 'pnl' | 'pnlBeforeCost' | 'turnover' | 'gross' | 'weights'
  >;
}

/** An empty book with `initial_equity` in cash, after the checks of {@link stepRange}. */
export function openBook(input: BacktestInput): Book {
  const { first, steps } = stepRange(input);
  const symbols = input.panel.symbols.length;
  const cash = input.trade.initial_equity;
  return {
    input,
    first,
    steps,
    quantity: new Float64Array(symbols),
    mark: new Float64Array(symbols),
    target: new Float64Array(symbols),
    wanted: new Float64Array(symbols),
    liquidity: new Float64Array(symbols),
    asking: new Int32Array(symbols),
    asked: 0,
    sent: new Int32Array(symbols),
    sentCount: 0,
    cash,
    equity: cash,
    gross: 0,
    risk: openRisk(cash),
    dayEndMs: Number.NEGATIVE_INFINITY,
    fundingMs:
      input.trade.cost.funding_bps_8h === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
    ordered: 0,
    orders: 0,
    fills: 0,
    missingBars: 0,
    dailyLossDays: 0,
    drawdownAtMs: null,
    fee: 0,
    spread: 0,
    slippage: 0,
    funding: 0,
    rejects: {
      max_gross: 0,
      max_turnover: 0,
      min_notional: 0,
      lot_size: 0,
      participation: 0,
      no_bar: 0,
      risk_stop: 0,
    },
    out: {
      closeMs: new Float64Array(steps),
      equity: new Float64Array(steps),
      pnl: new Float64Array(steps),
      pnlBeforeCost: new Float64Array(steps),
      turnover: new Float64Array(steps),
      gross: new Float64Array(steps),
      weights: new Float32Array(symbols * steps),
    },
  };
}

/** What a finished run hands out. */
export function closeBook(book: Book): BacktestResult {
  const { out, fee, spread, slippage, funding, fills, rejects, orders } = book;
  const { missingBars, dailyLossDays, drawdownAtMs } = book;
  return {
    ...out,
    cost: { fee, spread, slippage, funding },
    fills,
    rejects,
    orders,
    missingBars,
    initialEquity: book.input.trade.initial_equity,
    stopped: { drawdownAtMs, dailyLossDays },
  };
}
