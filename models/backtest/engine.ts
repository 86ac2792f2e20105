// The backtest: one pass over the bars, all symbols side by side, in the order in which things happen.
// Within a step: orders decided at the last close fill at this bar's open; the book is marked at this
// bar's close; the risk limits look; the scores of this bar decide the orders for the next open.
// Nothing is allocated per symbol and bar; sizing, checks, costs and stops are the room trade's own.

import { dayMs, SluiceError, utcDay } from '../../core/index.ts';
import {
  checkOrder,
  fundingCost,
  fundingPayments,
  nextFundingMs,
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
    step = closeBars(book, step);
    if (step === last) break;
    if (book.risk.phase === 'trading') sendAll(book, step);
    else standDown(book, step);
  }
  return closeBook(book);
}

/** Fills the orders on their way at the open. */
function fillOrders(book: Book, step: number): void {
  let traded = 0;
  for (let n = 0; n < book.sentCount; n += 1) traded += fill(book, step, book.sent[n]!);
  book.sentCount = 0;
  if (traded !== 0) book.out.turnover[step] = traded / book.equity;
}

/**
 * Fills one order and marks its position at the fill; where the symbol has no bar, the order is refused.
 * @returns notional traded
 */
function fill(book: Book, step: number, s: number): number {
  const { panel, trade } = book.input;
  const at = book.first + step + s * panel.openMs.length;
  if (Number.isNaN(panel.close[at]!)) {
    book.rejects.no_bar += 1;
    return 0;
  }
  const price = panel.open[at]!;
  if (!(price > 0)) throw barRefusal(book, s, at);
  const old = book.quantity[s]!;
  const traded = book.wanted[s]! - old;
  const notional = Math.abs(traded) * price;
  const cost = tradeCost(notional, book.liquidity[s]!, trade.cost);
  book.cash -= traded * price + (cost.fee + cost.spread + cost.slippage);
  book.fee += cost.fee;
  book.spread += cost.spread;
  book.slippage += cost.slippage;
  book.fills += 1;
  book.out.pnlBeforeCost[step]! += old * (price - book.mark[s]!);
  book.quantity[s] = book.wanted[s]!;
  book.mark[s] = price;
  return notional;
}

/**
 * Closes bars until one asks for orders, or may not, and returns its step. Most bars ask for nothing: as
 * long as they do not, this loop keeps all columns at hand. What is rare in it throws or is arithmetic,
 * since after any call V8 would look all of them up again.
 */
function closeBars(book: Book, from: number): number {
  const { mark, quantity, asking, target, first, steps, input, out, risk } = book;
  const { scores, panel, trade } = input;
  const { close, openMs } = panel;
  const bars = openMs.length;
  const symbols = mark.length;
  for (let step = from; ; step += 1) {
    let pricePnl = out.pnlBeforeCost[step]!;
    let held = 0;
    for (let s = 0, at = first + step; s < symbols; s += 1, at += bars) {
      const price = close[at]!;
      const units = quantity[s]!;
      let latest = mark[s]!;
      if (price > 0) {
        pricePnl += units * (price - latest);
        mark[s] = price;
        latest = price;
      } else if (!Number.isNaN(price)) throw barRefusal(book, s, at);
      else if (units !== 0 || !Number.isNaN(scores[at]!)) book.missingBars += 1;
      held += units * latest;
    }
    out.pnlBeforeCost[step] = pricePnl;
    const equity = settle(book, step, book.cash + held);
    const decides = step < steps - 1 && risk.phase === 'trading';
    const perUnit = equity > 0 ? 1 / equity : 0;
    let gross = 0;
    let asked = 0;
    for (let s = 0, at = first + step, to = step; s < symbols; s += 1, at += bars, to += steps) {
      const weight = quantity[s]! * mark[s]! * perUnit;
      out.weights[to] = weight;
      gross += Math.abs(weight);
      const score = decides ? scores[at]! : Number.NaN;
      if (Number.isNaN(score)) continue;
      const next = size(score, { weight }, trade.sizing);
      if (next === weight || Number.isNaN(close[at]!)) continue;
      target[s] = next;
      asking[asked++] = s;
    }
    out.gross[step] = gross;
    book.asked = asked;
    if (asked > 0 || !decides) return step;
  }
}

/** Funding, then the risk limits, then what this step is remembered by. @returns equity */
function settle(book: Book, step: number, marked: number): number {
  const { input, out, risk } = book;
  const { panel, trade } = input;
  const openMs = panel.openMs[book.first + step]!;
  const closeMs = openMs + panel.timeframeMs;
  const equity = closeMs < book.fundingMs ? marked : payFunding(book, marked, openMs, closeMs);
  if (!Number.isFinite(equity)) throw equityRefusal(equity, closeMs);
  const day = openMs < book.dayEndMs ? risk.day : openDay(book, openMs);
  if (stepRisk(risk, equity, day, trade.risk)) noteStop(book, closeMs);
  if (equity <= 0) closeAtMark(book, equity);
  out.closeMs[step] = closeMs;
  out.equity[step] = equity;
  out.pnl[step] = equity - book.equity;
  book.equity = equity;
  return equity;
}

/** @returns equity after funding */
function payFunding(book: Book, marked: number, openMs: number, closeMs: number): number {
  book.fundingMs = nextFundingMs(closeMs);
  const payments = fundingPayments(openMs, closeMs);
  if (payments === 0) return marked;
  const paid = fundingCost(marked - book.cash, payments, book.input.trade.cost);
  book.funding += paid;
  book.cash -= paid;
  return marked - paid;
}

function openDay(book: Book, openMs: number): number {
  const day = utcDay(openMs);
  book.dayEndMs = (day + 1) * dayMs;
  return day;
}

function noteStop(book: Book, closeMs: number): void {
  if (book.risk.phase === 'day_stop') book.dailyLossDays += 1;
  else book.drawdownAtMs = closeMs;
}

function closeAtMark(book: Book, equity: number): void {
  book.quantity.fill(0);
  book.cash = equity;
}

function barRefusal({ input }: Book, s: number, at: number): SluiceError {
  const { symbols, open, close, openMs } = input.panel;
  const symbol = symbols[s]!;
  const barMs = openMs[at % openMs.length]!;
  return new SluiceError(
    'non_finite',
    `A bar has a positive open and close, or is NaN in every field; found open ${open[at]}, close ${close[at]} for ${symbol} at ${barMs}. Import the bars again.`,
    { symbol, open_ms: barMs },
  );
}

function equityRefusal(equity: number, closeMs: number): SluiceError {
  return new SluiceError(
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
  book.gross = book.out.gross[step]!;
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
