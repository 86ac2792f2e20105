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
  const last = book.steps - 1;
  for (let step = 0; step <= last; step += 1) {
    if (book.sentCount > 0) fillOrders(book, step);
    markAtClose(book, step);
    settle(book, step);
    const decides = step < last && book.risk.phase === 'trading';
    weighAndAsk(book, step, decides);
    if (decides) sendAll(book, step);
    else if (step < last) standDown(book, step);
  }
  return closeBook(book);
}

/** Fills the orders on their way at the open; where a symbol has no bar, its order is refused. */
function fillOrders(book: Book, step: number): void {
  const { sent, input } = book;
  const { close, openMs } = input.panel;
  for (let n = 0; n < book.sentCount; n += 1) {
    const s = sent[n]!;
    const at = book.first + step + s * openMs.length;
    if (Number.isNaN(close[at]!)) book.rejects.no_bar += 1;
    else fill(book, s, at);
  }
  book.sentCount = 0;
}

/** Fills one order and marks its position at the fill. */
function fill(book: Book, s: number, at: number): void {
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
  book.pricePnl += old * (price - book.mark[s]!);
  book.quantity[s] = book.wanted[s]!;
  book.mark[s] = price;
}

/** Marks every position; one whose bar is missing keeps its mark. */
function markAtClose(book: Book, step: number): void {
  const { mark, quantity, input } = book;
  const { close, openMs } = input.panel;
  const bars = openMs.length;
  let pricePnl = book.pricePnl;
  let held = 0;
  let complete = true;
  for (let s = 0, at = book.first + step; s < mark.length; s += 1, at += bars) {
    const price = close[at]!;
    const units = quantity[s]!;
    let latest = mark[s]!;
    if (price > 0) {
      pricePnl += units * (price - latest);
      mark[s] = price;
      latest = price;
    } else complete = false;
    held += units * latest;
  }
  book.pricePnl = pricePnl;
  book.equity = book.cash + held;
  if (!complete) countMissing(book, step);
}

function countMissing(book: Book, step: number): void {
  const { scores, panel } = book.input;
  const bars = panel.openMs.length;
  for (let s = 0, at = book.first + step; s < book.mark.length; s += 1, at += bars) {
    const price = panel.close[at]!;
    if (price > 0) continue;
    if (!Number.isNaN(price)) refuseBar(book, s, at);
    if (book.quantity[s] !== 0 || !Number.isNaN(scores[at]!)) book.missingBars += 1;
  }
}

/** Funding, then the risk limits, then what this step is remembered by. */
function settle(book: Book, step: number): void {
  const { input, out, equityBefore } = book;
  const { trade, panel } = input;
  const openMs = panel.openMs[book.first + step]!;
  const closeMs = openMs + panel.timeframeMs;
  if (trade.cost.funding_bps_8h !== 0) payFunding(book, openMs, closeMs);
  const equity = book.equity;
  if (!Number.isFinite(equity)) refuseEquity(equity, closeMs);
  if (stepRisk(book.risk, equity, utcDay(openMs), trade.risk)) noteStop(book, closeMs);
  if (equity <= 0) closeAtMark(book);
  out.closeMs[step] = closeMs;
  out.equity[step] = equity;
  out.pnl[step] = equity - equityBefore;
  out.pnlBeforeCost[step] = book.pricePnl;
  out.turnover[step] = book.traded === 0 ? 0 : book.traded / equityBefore;
  book.equityBefore = equity;
  book.pricePnl = 0;
  book.traded = 0;
}

function payFunding(book: Book, openMs: number, closeMs: number): void {
  const payments = fundingPayments(openMs, closeMs);
  if (payments === 0) return;
  const paid = fundingCost(book.equity - book.cash, payments, book.input.trade.cost);
  book.cost.funding += paid;
  book.cash -= paid;
  book.equity -= paid;
}

function noteStop(book: Book, closeMs: number): void {
  if (book.risk.phase === 'day_stop') book.dailyLossDays += 1;
  else book.drawdownAtMs = closeMs;
}

function closeAtMark(book: Book): void {
  book.quantity.fill(0);
  book.cash = book.equity;
}

/** Weights at the close, and, if this close decides, the symbols whose score asks for another one. */
function weighAndAsk(book: Book, step: number, decides: boolean): void {
  const { mark, quantity, asking, target, steps, input, out } = book;
  const { weights } = out;
  const { scores, panel, trade } = input;
  const { sizing } = trade;
  const { close, openMs } = panel;
  const bars = openMs.length;
  const perUnit = book.equity > 0 ? 1 / book.equity : 0;
  let gross = 0;
  let asked = 0;
  for (let s = 0, at = book.first + step, to = step; s < mark.length; s += 1) {
    const now = quantity[s]! * mark[s]! * perUnit;
    weights[to] = now;
    gross += Math.abs(now);
    const score = decides ? scores[at]! : Number.NaN;
    if (!Number.isNaN(score)) {
      const next = size(score, { weight: now }, sizing);
      if (next !== now && !Number.isNaN(close[at]!)) {
        target[s] = next;
        asking[asked++] = s;
      }
    }
    at += bars;
    to += steps;
  }
  out.gross[step] = gross;
  book.gross = gross;
  book.asked = asked;
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

/** Orders for all that asked; those that shrink a position go first. */
function sendAll(book: Book, step: number): void {
  const { asked, asking, wanted, quantity, target, mark, equity } = book;
  const { lot_size: lotSize } = book.input.trade.constraint;
  book.ordered = 0;
  let growing = 0;
  for (let n = 0; n < asked; n += 1) {
    const s = asking[n]!;
    wanted[s] = wholeLots((target[s]! * equity) / mark[s]!, lotSize);
    if (Math.abs(wanted[s]!) > Math.abs(quantity[s]!)) asking[growing++] = s;
    else send(book, step, s, false);
  }
  for (let n = 0; n < growing; n += 1) send(book, step, asking[n]!, true);
}

/** Sends one order if it breaks no constraint; otherwise it is refused and counted. */
function send(book: Book, step: number, s: number, increases: boolean): void {
  const { equity, input } = book;
  const wanted = book.wanted[s]!;
  const mark = book.mark[s]!;
  const quantity = wanted - book.quantity[s]!;
  const notional = Math.abs(quantity) * mark;
  const quoteVolume = tradedVolume(book, step, s);
  const turnoverAfter = book.ordered + notional / equity;
  const grossAfter =
    book.gross + ((Math.abs(wanted) - Math.abs(book.quantity[s]!)) * mark) / equity;
  book.orders += 1;
  const reject = checkOrder(
    { quantity, notional, quoteVolume, turnoverAfter, grossAfter, increases },
    input.trade.constraint,
  );
  if (reject === null) {
    book.liquidity[s] = quoteVolume;
    book.sent[book.sentCount++] = s;
    book.ordered = turnoverAfter;
    book.gross = grossAfter;
  } else book.rejects[reject] += 1;
}

function tradedVolume(book: Book, step: number, s: number): number {
  const { quoteVolume, volume, close, openMs } = book.input.panel;
  const at = book.first + step + s * openMs.length;
  const known = quoteVolume[at]!;
  return Number.isNaN(known) ? volume[at]! * close[at]! : known;
}

/** While a stop holds: close what is open, refuse what sizing would open. */
function standDown(book: Book, step: number): void {
  const { quantity, input } = book;
  const { scores, panel, trade } = input;
  const bars = panel.openMs.length;
  for (let s = 0, at = book.first + step; s < quantity.length; s += 1, at += bars) {
    if (Number.isNaN(panel.close[at]!)) continue;
    if (quantity[s] !== 0) closeOut(book, step, s);
    else if (!Number.isNaN(scores[at]!) && size(scores[at]!, { weight: 0 }, trade.sizing) !== 0) {
      book.orders += 1;
      book.rejects.risk_stop += 1;
    }
  }
}

/** A stop's order; only a market without volume can refuse it, and then it is sent again next step. */
function closeOut(book: Book, step: number, s: number): void {
  const quoteVolume = tradedVolume(book, step, s);
  book.orders += 1;
  if (quoteVolume > 0) {
    book.wanted[s] = 0;
    book.liquidity[s] = quoteVolume;
    book.sent[book.sentCount++] = s;
  } else book.rejects.participation += 1;
}
