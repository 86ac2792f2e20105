// The backtest again, slow and obvious: objects instead of columns, formulas written out from the
// documentation, nothing imported from the engine or from the room trade but types.

import type {
  BacktestInput,
  BacktestResult,
  RejectReason,
} from '../../../models/backtest/index.ts';
import type { SizingConfig, TradeConfig } from '../../../models/trade/index.ts';

interface Bar {
  open: number;
  close: number;
  quoteVolume: number;
  score: number;
}

interface Order {
  symbol: number;
  target: number;
  quoteVolume: number;
}

type Outcome = Omit<BacktestResult, 'closeMs' | 'weights'> & {
  closeMs: number[];
  weights: number[][];
};

const hour8 = 8 * 3_600_000;
const day = 24 * 3_600_000;
const eps = 1 + 1e-9;

function barOf({ panel, scores }: BacktestInput, s: number, t: number): Bar | undefined {
  const at = s * panel.openMs.length + t;
  if (Number.isNaN(panel.close[at])) return undefined;
  const close = panel.close[at]!;
  const quote = panel.quoteVolume[at]!;
  return {
    open: panel.open[at]!,
    close,
    quoteVolume: Number.isNaN(quote) ? panel.volume[at]! * close : quote,
    score: scores[at]!,
  };
}

export function referenceTarget(score: number, weight: number, c: SizingConfig): number {
  const wantsPosition = Math.abs(score) >= c.entry_score && c.gain * score !== 0;
  if (!wantsPosition) {
    if (Math.abs(score) >= c.entry_score) return 0;
    const scoreAlongPosition = Math.sign(weight) * score;
    const keeps = weight !== 0 && scoreAlongPosition >= c.exit_score;
    return keeps ? weight : 0;
  }
  let wish = c.gain * score;
  if (wish > c.max_weight) wish = c.max_weight;
  if (wish < -c.max_weight) wish = -c.max_weight;
  const step = (wish - weight) * c.smoothing;
  if (Math.abs(step) < c.rebalance_band) return weight;
  return c.smoothing === 1 ? wish : weight + step;
}

function inLots(quantity: number, lot: number): number {
  if (lot === 0) return quantity;
  const lots = Math.floor(Math.abs(quantity / lot) * (1 + 1e-12));
  return Math.sign(quantity) * lots * lot;
}

function costOf(notional: number, quoteVolume: number, c: TradeConfig['cost']) {
  const fee = c.fee_bps.maker * c.maker_frac + c.fee_bps.taker * (1 - c.maker_frac);
  const slip = c.slippage.coefficient_bps * (notional / quoteVolume) ** c.slippage.exponent;
  return {
    fee: (notional * fee) / 10_000,
    spread: (notional * c.half_spread_bps) / 10_000,
    slippage: (notional * slip) / 10_000,
  };
}

/** Same contract as `runBacktest`, with weights as [k][s]. */
export function referenceBacktest(input: BacktestInput): Outcome {
  const { panel, trade } = input;
  const symbols = panel.symbols.map((_, s) => s);
  const steps = [...panel.openMs.keys()].filter(
    (t) => panel.openMs[t]! >= input.fromMs && panel.openMs[t]! < input.toMs,
  );
  const held = symbols.map(() => 0);
  const marks = symbols.map(() => 0);
  const cost = { fee: 0, spread: 0, slippage: 0, funding: 0 };
  const rejects: Record<RejectReason, number> = {
    max_gross: 0,
    max_turnover: 0,
    min_notional: 0,
    lot_size: 0,
    participation: 0,
    no_bar: 0,
    risk_stop: 0,
  };
  const log = {
    closeMs: [] as number[],
    equity: [] as number[],
    pnl: [] as number[],
    pnlBeforeCost: [] as number[],
    turnover: [] as number[],
    gross: [] as number[],
    weights: [] as number[][],
  };
  let cash = trade.initial_equity;
  let sent: Order[] = [];
  let orders = 0;
  let fills = 0;
  let missingBars = 0;
  let peak = cash;
  let drawdownAtMs: number | null = null;
  let today = -1;
  let dayOpen = cash;
  let dayStopped = false;
  let dailyLossDays = 0;

  for (const t of steps) {
    const before = log.equity.at(-1) ?? trade.initial_equity;
    const oldHeld = [...held];
    const oldMarks = [...marks];
    let traded = 0;
    let pricePnl = 0;
    const openMs = panel.openMs[t]!;
    const closeMs = openMs + panel.timeframeMs;

    for (const s of symbols) {
      const bar = barOf(input, s, t);
      const order = sent.find(({ symbol }) => symbol === s);
      const score = input.scores[s * panel.openMs.length + t]!;
      if (bar === undefined) {
        if (held[s] !== 0 || !Number.isNaN(score)) missingBars += 1;
        if (order !== undefined) rejects.no_bar += 1;
        continue;
      }
      marks[s] = bar.close;
      if (order === undefined) {
        pricePnl += oldHeld[s]! * (bar.close - oldMarks[s]!);
        continue;
      }
      const quantity = order.target - held[s]!;
      const notional = Math.abs(quantity) * bar.open;
      const paid = costOf(notional, order.quoteVolume, trade.cost);
      cash -= quantity * bar.open + paid.fee + paid.spread + paid.slippage;
      cost.fee += paid.fee;
      cost.spread += paid.spread;
      cost.slippage += paid.slippage;
      held[s] = order.target;
      traded += notional;
      fills += 1;
      pricePnl += oldHeld[s]! * (bar.open - oldMarks[s]!) + held[s]! * (bar.close - bar.open);
    }
    sent = [];

    const positionValue = () => symbols.reduce((sum, s) => sum + held[s]! * marks[s]!, 0);
    for (let at = Math.floor(openMs / hour8) + 1; at * hour8 <= closeMs; at += 1) {
      cost.funding += (positionValue() * trade.cost.funding_bps_8h) / 10_000;
      cash -= (positionValue() * trade.cost.funding_bps_8h) / 10_000;
    }
    const equity = cash + positionValue();

    if (Math.floor(openMs / day) !== today) {
      today = Math.floor(openMs / day);
      dayOpen = before;
      dayStopped = false;
    }
    peak = Math.max(peak, equity);
    if (drawdownAtMs === null && (peak - equity) / peak >= trade.risk.max_drawdown) {
      drawdownAtMs = closeMs;
    } else if (drawdownAtMs === null && !dayStopped) {
      dayStopped = (dayOpen - equity) / dayOpen >= trade.risk.daily_loss;
      if (dayStopped) dailyLossDays += 1;
    }
    if (equity <= 0) {
      held.fill(0);
      cash = equity;
    }

    const weight = symbols.map((s) => (equity > 0 ? (held[s]! * marks[s]!) / equity : 0));
    log.closeMs.push(closeMs);
    log.equity.push(equity);
    log.pnl.push(equity - before);
    log.pnlBeforeCost.push(pricePnl);
    log.turnover.push(before > 0 ? traded / before : 0);
    log.gross.push(weight.reduce((sum, w) => sum + Math.abs(w), 0));
    log.weights.push(weight);
    if (t === steps.at(-1)) break;

    const wishes: (Order & { close: number })[] = [];
    for (const s of symbols) {
      const bar = barOf(input, s, t);
      if (bar === undefined) continue;
      const { quoteVolume, close, score } = bar;
      if (drawdownAtMs !== null || dayStopped) {
        if (held[s] !== 0) {
          orders += 1;
          if (quoteVolume > 0) sent.push({ symbol: s, target: 0, quoteVolume });
          else rejects.participation += 1;
        } else if (!Number.isNaN(score) && referenceTarget(score, 0, trade.sizing) !== 0) {
          orders += 1;
          rejects.risk_stop += 1;
        }
        continue;
      }
      if (Number.isNaN(score)) continue;
      const target = referenceTarget(score, weight[s]!, trade.sizing);
      if (target === weight[s]) continue;
      orders += 1;
      const quantity = inLots((target * equity) / close, trade.constraint.lot_size);
      wishes.push({ symbol: s, target: quantity, quoteVolume, close });
    }
    const grows = (w: Order) => Math.abs(w.target) > Math.abs(held[w.symbol]!);
    const queue = [...wishes.filter((w) => !grows(w)), ...wishes.filter(grows)];
    let turnover = 0;
    for (const wish of queue) {
      const s = wish.symbol;
      const quantity = wish.target - held[s]!;
      const notional = Math.abs(quantity) * wish.close;
      const planned = symbols.map((other) => {
        const order = sent.find(({ symbol }) => symbol === other);
        if (other === s) return Math.abs(wish.target * wish.close) / equity;
        return Math.abs((order?.target ?? held[other]!) * marks[other]!) / equity;
      });
      const gross = planned.reduce((sum, w) => sum + w, 0);
      const { lot_size: lot, ...limit } = trade.constraint;
      if (quantity === 0 || (lot > 0 && Math.round(Math.abs(quantity) / lot) === 0)) {
        rejects.lot_size += 1;
      } else if (notional < limit.min_notional) rejects.min_notional += 1;
      else if (!(notional / wish.quoteVolume <= limit.max_participation)) {
        rejects.participation += 1;
      } else if (turnover + notional / equity > limit.max_turnover_per_step * eps) {
        rejects.max_turnover += 1;
      } else if (grows(wish) && gross > limit.max_gross * eps) rejects.max_gross += 1;
      else {
        turnover += notional / equity;
        sent.push(wish);
      }
    }
  }
  return {
    closeMs: log.closeMs,
    equity: Float64Array.from(log.equity),
    pnl: Float64Array.from(log.pnl),
    pnlBeforeCost: Float64Array.from(log.pnlBeforeCost),
    turnover: Float64Array.from(log.turnover),
    gross: Float64Array.from(log.gross),
    weights: log.weights,
    cost,
    fills,
    rejects,
    orders,
    missingBars,
    initialEquity: trade.initial_equity,
    stopped: { drawdownAtMs, dailyLossDays },
  };
}
