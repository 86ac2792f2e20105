// The backtest: one pass over the bars, all symbols side by side, in the order in which things happen.
// Within a step: orders decided at the last close fill at this bar's open; the book is marked at this
// bar's close; the risk limits look; the scores of this bar decide the orders for the next open.
// Nothing is allocated per symbol and bar; sizing, checks, costs and stops are the room trade's own.

import { SluiceError, utcDay } from '../../core/index.ts';
import {
  checkOrder,
  fundingCost,
  fundingPayments,
  size,
  stepRisk,
  tradeCost,
  wholeLots,
} from '../trade/index.ts';
import { type Book, closeBook, openBook } from './book.ts';
import type { BacktestInput, BacktestResult } from './types.ts';

/**
 * Runs scores through sizing, constraints, costs and risk limits.
 *
 * An order is a quantity, fixed at the close that decides it; it fills whole at the next bar's open, or
 * not at all if that symbol has no bar there (`no_bar`). The window's last bar decides nothing: no bar of
 * the window would show the outcome. A missing bar is marked at the last close. Order checks and slippage
 * use the quote volume of the bar that decides (its volume x close where the source has none), which is
 * what was known. Orders that shrink a position are checked first, then the others, each in the order
 * of the symbols. A stop closes every position; its orders are bound by volume only, never by a limit
 * that could keep a position open. A book that lost all its equity is closed at the mark and stays empty.
 * @returns arrays per step; `orders` = `fills` + all `rejects`
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite` | `out_of_range`
 */
export function runBacktest(input: BacktestInput): BacktestResult {
  const book = openBook(input);
  for (let step = 0; step < book.steps; step += 1) {
    const before = book.equity;
    const pricePnl = fillAndMark(book, step);
    payFunding(book, step);
    lookAtRisk(book, step);
    weigh(book, step);
    record(book, step, before, pricePnl);
    if (step === book.steps - 1) break;
    if (book.risk.phase === 'trading') decide(book, step);
    else standDown(book, step);
  }
  return closeBook(book);
}

/** Fills at the open, marks at the close. @returns pnl of prices, before any cost */
function fillAndMark(book: Book, step: number): number {
  const { mark, quantity, wanted, input } = book;
  const { close } = input.panel;
  const bars = input.panel.openMs.length;
  let pricePnl = 0;
  let held = 0;
  for (let s = 0, at = book.first + step; s < mark.length; s += 1, at += bars) {
    const price = close[at]!;
    if (price > 0) {
      if (!Number.isNaN(wanted[s]!)) pricePnl += fill(book, s, at);
      pricePnl += quantity[s]! * (price - mark[s]!);
      mark[s] = price;
    } else passMissing(book, s, at);
    held += quantity[s]! * mark[s]!;
  }
  book.equity = book.cash + held;
  return pricePnl;
}

/** A bar that is not there: an order finds no market, a position keeps its mark. */
function passMissing(book: Book, s: number, at: number): void {
  if (!Number.isNaN(book.input.panel.close[at]!)) refuseBar(book, s, at);
  const ordered = !Number.isNaN(book.wanted[s]!);
  const due = book.quantity[s] !== 0 || !Number.isNaN(book.input.scores[at]!);
  if (ordered || due) book.missingBars += 1;
  if (!ordered) return;
  book.rejects.no_bar += 1;
  book.wanted[s] = Number.NaN;
}

/** Fills one order at the open and marks it there. @returns pnl of the old position from mark to open */
function fill(book: Book, s: number, at: number): number {
  const price = book.input.panel.open[at]!;
  if (!(price > 0)) refuseBar(book, s, at);
  const old = book.quantity[s]!;
  const traded = book.wanted[s]! - old;
  const notional = Math.abs(traded) * price;
  const cost = tradeCost(notional, book.liquidity[s]!, book.input.trade.cost);
  book.cash -= traded * price + (cost.fee + cost.spread + cost.slippage);
  book.cost.fee += cost.fee;
  book.cost.spread += cost.spread;
  book.cost.slippage += cost.slippage;
  book.traded += notional;
  book.fills += 1;
  book.quantity[s] = book.wanted[s]!;
  book.wanted[s] = Number.NaN;
  const pnl = old * (price - book.mark[s]!);
  book.mark[s] = price;
  return pnl;
}

function payFunding(book: Book, step: number): void {
  const { trade, panel } = book.input;
  if (trade.cost.funding_bps_8h === 0) return;
  const openMs = panel.openMs[book.first + step]!;
  const payments = fundingPayments(openMs, openMs + panel.timeframeMs);
  if (payments === 0) return;
  const paid = fundingCost(book.equity - book.cash, payments, trade.cost);
  book.cost.funding += paid;
  book.cash -= paid;
  book.equity -= paid;
}

function lookAtRisk(book: Book, step: number): void {
  const { trade, panel } = book.input;
  const openMs = panel.openMs[book.first + step]!;
  const before = book.risk;
  const after = stepRisk(before, book.equity, utcDay(openMs), trade.risk);
  book.risk = after;
  const entered = after.phase !== before.phase;
  if (after.phase === 'day_stop' && (entered || after.day !== before.day)) book.dailyLossDays += 1;
  if (after.phase === 'drawdown_stop' && entered) book.drawdownAtMs = openMs + panel.timeframeMs;
  if (book.equity <= 0) {
    book.quantity.fill(0);
    book.cash = book.equity;
  }
}

/** Weights at the close. */
function weigh(book: Book, step: number): void {
  const { mark, quantity, weight, steps } = book;
  const { weights } = book.out;
  const perUnit = book.equity > 0 ? 1 / book.equity : 0;
  let gross = 0;
  for (let s = 0, at = step; s < mark.length; s += 1, at += steps) {
    const w = quantity[s]! * mark[s]! * perUnit;
    weight[s] = w;
    weights[at] = w;
    gross += Math.abs(w);
  }
  book.gross = gross;
}

function record(book: Book, step: number, before: number, pricePnl: number): void {
  const { out, equity } = book;
  const { openMs, timeframeMs } = book.input.panel;
  const closeMs = openMs[book.first + step]! + timeframeMs;
  if (!Number.isFinite(equity)) refuseEquity(equity, closeMs);
  out.closeMs[step] = closeMs;
  out.equity[step] = equity;
  out.pnl[step] = equity - before;
  out.pnlBeforeCost[step] = pricePnl;
  out.turnover[step] = before > 0 ? book.traded / before : 0;
  out.gross[step] = book.gross;
  book.traded = 0;
}

function refuseBar({ input }: Book, s: number, at: number): never {
  const { symbols, open, close, openMs } = input.panel;
  const symbol = symbols[s]!;
  const barMs = openMs[at % openMs.length]!;
  throw new SluiceError(
    'non_finite',
    `A bar has a positive open and close, or is NaN in every field; found open ${open[at]}, close ${close[at]} for ${symbol} at ${barMs}. Import the bars again.`,
    { symbol, open_ms: barMs },
  );
}

function refuseEquity(equity: number, closeMs: number): never {
  throw new SluiceError(
    'non_finite',
    `Equity must stay a finite number; found ${equity} at ${closeMs}. Look at the bars and scores of that time.`,
    { close_ms: closeMs },
  );
}

/** Asks sizing for every symbol that has a bar and a score; shrinking orders go out first. */
function decide(book: Book, step: number): void {
  const { weight, wanted, mark, quantity, increasing, equity, input } = book;
  const { sizing, constraint } = input.trade;
  const { scores, panel } = input;
  const { close } = panel;
  const bars = panel.openMs.length;
  let later = 0;
  book.ordered = 0;
  for (let s = 0, at = book.first + step; s < mark.length; s += 1, at += bars) {
    const score = scores[at]!;
    if (Number.isNaN(score) || Number.isNaN(close[at]!)) continue;
    const target = size(score, { weight: weight[s]! }, sizing);
    if (target === weight[s]) continue;
    book.orders += 1;
    wanted[s] = wholeLots((target * equity) / mark[s]!, constraint.lot_size);
    if (Math.abs(wanted[s]!) > Math.abs(quantity[s]!)) increasing[later++] = s;
    else submit(book, s, at, false);
  }
  for (let n = 0; n < later; n += 1) {
    const s = increasing[n]!;
    submit(book, s, book.first + step + s * bars, true);
  }
}

/** Sends one order if it breaks no constraint; otherwise it is refused and counted. */
function submit(book: Book, s: number, at: number, increases: boolean): void {
  const { mark, equity, wanted, input } = book;
  const quantity = wanted[s]! - book.quantity[s]!;
  const notional = Math.abs(quantity) * mark[s]!;
  const quoteVolume = tradedVolume(book, at);
  const turnoverAfter = book.ordered + notional / equity;
  const grossAfter =
    book.gross + (Math.abs(wanted[s]!) * mark[s]!) / equity - Math.abs(book.weight[s]!);
  const reject = checkOrder(
    { quantity, notional, quoteVolume, turnoverAfter, grossAfter, increases },
    input.trade.constraint,
  );
  if (reject === null) {
    book.liquidity[s] = quoteVolume;
    book.ordered = turnoverAfter;
    book.gross = grossAfter;
  } else {
    book.rejects[reject] += 1;
    wanted[s] = Number.NaN;
  }
}

function tradedVolume(book: Book, at: number): number {
  const { quoteVolume, volume, close } = book.input.panel;
  const known = quoteVolume[at]!;
  return Number.isNaN(known) ? volume[at]! * close[at]! : known;
}

/** While a stop holds: close what is open, refuse what sizing would open. */
function standDown(book: Book, step: number): void {
  const { quantity, mark, weight, input } = book;
  const { scores, panel, trade } = input;
  const bars = panel.openMs.length;
  for (let s = 0, at = book.first + step; s < mark.length; s += 1, at += bars) {
    if (Number.isNaN(panel.close[at]!)) continue;
    if (quantity[s] !== 0) closeOut(book, s, at);
    else if (
      !Number.isNaN(scores[at]!) &&
      size(scores[at]!, { weight: weight[s]! }, trade.sizing) !== 0
    ) {
      book.orders += 1;
      book.rejects.risk_stop += 1;
    }
  }
}

/** A stop's order; only a market without volume can refuse it, and then it is sent again next step. */
function closeOut(book: Book, s: number, at: number): void {
  book.orders += 1;
  const quoteVolume = tradedVolume(book, at);
  if (quoteVolume > 0) {
    book.wanted[s] = 0;
    book.liquidity[s] = quoteVolume;
  } else book.rejects.participation += 1;
}
