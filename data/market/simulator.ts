// A market whose predictable return is known, because it was put there. Bars of b hours, symbols s, bars t:
//
//   volatility  sigma[s,t] = m_s * {calm 0.0045, volatile 0.0105} * sqrt(b), m_s of 0.8 to 1.25; one Markov state for the
//               whole market, calm for 240 h and volatile for 80 h on average
//   noise       e[s,t] = sqrt(1/2) market + sqrt(1/2) own, both standard normal plus, in 1 of 400 bars, a jump 4 * normal
//   price       open[t] = close[t-1] * (1 + 0.02 sigma normal);  close[t] = open[t] * (1 + mu[t] + sigma[t] e[t])
//   order flow  B[t] = 2 taker_buy_volume / volume - 1, a moving average of surprises u: public bars show u
//   planted     mu, what the surprises foretell: plantedReturn.ts
//
// With alpha = 0 every simple return has mean zero given the past. Hidden bars (gaps) and flat ones (no volume) have
// u = 0; where close[t-24] is hidden or before the start, R = 0.

import {
  createRandom,
  dayMs,
  digestOf,
  hourMs,
  parseTimeframe,
  type Random,
  SluiceError,
} from '../../core/index.ts';
import { createBarContentHash, dataVersionOf } from './barContent.ts';
import { type BarPanel, barColumns, barQuality, missingBars } from './barPanel.ts';
import { type PlantedStructure, plantReturn, simulatedHorizonBars } from './plantedReturn.ts';

/** The length of the simulated market and how much of its return can be known beforehand. */
export interface SimulatorOptions {
  /** Decides everything; 32-bit integer. */
  readonly seed: number;
  /** How many; a symbol's noise does not depend on how many there are. */
  readonly symbols: number;
  readonly days: number;
  readonly timeframe: string;
  /** 0: none at all. 1: the expected return correlates 0.15 to 0.25 with the return of the next 12 bars. */
  readonly alpha: number;
  /** What the planted return rests on; default tabular. */
  readonly structure?: PlantedStructure | undefined;
}

/** A simulated market and what was true of it. */
export interface SimulatedMarket {
  readonly options: SimulatorOptions;
  readonly panel: BarPanel;
  /**
   * [S*T] mean of open[t+13] / open[t+1] - 1 given all order flow when bar t closed and the volatility state of bar
   * t+1; second-order terms (1e-6) left out. NaN where the bar is hidden.
   */
  readonly expected: Float64Array;
}

/** First bar of every simulated market: 2021-01-01T00:00Z. */
const startMs = 1_609_459_200_000;
const hourlySigma = { calm: 0.0045, volatile: 0.0105, longRun: 0.006 };
const stayHours = { calm: 240, volatile: 80 };
const jump = { frac: 1 / 400, size: 4 };
const reversalBars = 24;
const zeroVolumeFrac = 1 / 2000;
/** No bar moves more than half, so that no price reaches zero; symmetric, so the mean stays. */
const moveLimit = 0.5;

/**
 * Simulates a market; the same options give the same bytes.
 * @throws SluiceError `out_of_range` | `input_invalid`
 */
export function simulateMarket(options: SimulatorOptions): SimulatedMarket {
  const timeframeMs = requireOptions(options);
  const random = createRandom(options.seed);
  const steps = (options.days * dayMs) / timeframeMs;
  const whole = drawWholeMarket(random, steps, timeframeMs);
  const panel = emptyPanel(options, timeframeMs, steps);
  const expected = new Float64Array(panel.open.length).fill(Number.NaN);
  for (let s = 0; s < options.symbols; s += 1) {
    simulateSymbol(panel, expected, s, random.fork(`symbol ${s}`), whole, options);
  }
  return { options, panel: { ...panel, dataVersion: versionOf(panel) }, expected };
}

function requireOptions(options: SimulatorOptions): number {
  const timeframeMs = parseTimeframe(options.timeframe);
  const demands: readonly (readonly [string, number, boolean, string])[] = [
    ['seed', options.seed, (options.seed | 0) === options.seed, 'a 32-bit integer'],
    ['symbols', options.symbols, isCount(options.symbols, 1000), 'a whole number of 1 to 1000'],
    ['days', options.days, isCount(options.days, 36_500), 'a whole number of 1 to 36500'],
    ['alpha', options.alpha, options.alpha >= 0 && options.alpha <= 5, 'a number of 0 to 5'],
    ['timeframe', timeframeMs, dayMs % timeframeMs === 0, 'a bar that divides a day'],
  ];
  const broken = demands.filter(([, , holds]) => !holds);
  if (broken.length > 0) {
    throw new SluiceError(
      'out_of_range',
      `${broken.map(([name, found, , wanted]) => `${name} must be ${wanted}, found ${found}`).join('; ')}.`,
      { options },
    );
  }
  return timeframeMs;
}

const isCount = (value: number, most: number): boolean =>
  Number.isInteger(value) && value >= 1 && value <= most;

/** What all symbols share. Arrays are [T]. */
interface WholeMarket {
  /** sqrt(bar hours). */
  readonly scale: number;
  /** 1 where the market is volatile. */
  readonly volatile: Uint8Array;
  /** Common noise, unit variance but for jumps. */
  readonly noise: Float64Array;
  /** 1 where the exchange was down. */
  readonly down: Uint8Array;
  /** E[sigma] of the bars of the horizon, by the state of the first of them (calm, volatile), for m_s = 1. [12] each */
  readonly sigmas: readonly [calm: Float64Array, volatile: Float64Array];
}

function drawWholeMarket(random: Random, steps: number, timeframeMs: number): WholeMarket {
  const hours = timeframeMs / hourMs;
  const leave = [
    Math.min(1, hours / stayHours.calm),
    Math.min(1, hours / stayHours.volatile),
  ] as const;
  const state = random.fork('regime');
  const volatile = new Uint8Array(steps + 1);
  for (let t = 1; t <= steps; t += 1) {
    const before = volatile[t - 1]!;
    volatile[t] = state.uniform() < leave[before as 0 | 1] ? 1 - before : before;
  }
  const draws = random.fork('market');
  const noise = Float64Array.from({ length: steps }, () => drawNoise(draws));
  const scale = Math.sqrt(hours);
  const down = drawHoles(random.fork('outages'), steps, 1 / 3000, 6);
  return { scale, volatile, noise, down, sigmas: sigmasAhead(leave, scale) };
}

const drawNoise = (random: Random): number => {
  const steady = random.normal();
  return random.uniform() < jump.frac ? steady + jump.size * random.normal() : steady;
};

/** Runs of 1 to `longest` bars; never the first or the last bar, so that the grid keeps its ends. */
function drawHoles(random: Random, steps: number, startFrac: number, longest: number): Uint8Array {
  const holes = new Uint8Array(steps);
  for (let t = 1; t < steps - 1; t += 1) {
    if (random.uniform() >= startFrac) continue;
    holes.fill(1, t, Math.min(steps - 1, t + 1 + random.integer(longest)));
  }
  return holes;
}

/** The state forgets at rate 1 - leave[0] - leave[1] a bar; a flat bar has no drift. */
function sigmasAhead(
  leave: readonly [number, number],
  scale: number,
): [calm: Float64Array, volatile: Float64Array] {
  const { calm, volatile } = hourlySigma;
  const mean = (calm * leave[1] + volatile * leave[0]) / (leave[0] + leave[1]);
  const memory = 1 - leave[0] - leave[1];
  const from = (now: number) =>
    Float64Array.from(
      { length: simulatedHorizonBars },
      (_, k) => (mean + memory ** k * (now - mean)) * scale * (1 - zeroVolumeFrac),
    );
  return [from(calm), from(volatile)];
}

function simulateSymbol(
  panel: BarPanel,
  expected: Float64Array,
  s: number,
  random: Random,
  whole: WholeMarket,
  { alpha, structure }: SimulatorOptions,
): void {
  const steps = panel.openMs.length;
  const planted = plantReturn(structure, steps, random);
  const strength = planted.driftPerSignal * alpha;
  const multiple = 0.8 + 0.45 * random.uniform();
  const sigmaOf = (state: number) =>
    multiple * whole.scale * (state === 1 ? hourlySigma.volatile : hourlySigma.calm);
  const reversalScale = hourlySigma.longRun * whole.scale * Math.sqrt(reversalBars);
  const hidden = drawHoles(random.fork('holes'), steps, 1 / 1500, 3);
  const activity = createActivity(random.fork('volume'), panel.timeframeMs);
  let close = 100 * Math.exp(2 * random.normal());
  let flow = 0;
  for (let t = 0; t < steps; t += 1) {
    const at = s * steps + t;
    const sigma = sigmaOf(whole.volatile[t]!);
    const noise = Math.SQRT1_2 * (whole.noise[t]! + drawNoise(random));
    const gap = 0.02 * sigma * random.normal();
    const reach = [
      0.4 * sigma * Math.abs(random.normal()),
      0.4 * sigma * Math.abs(random.normal()),
    ];
    const surprise = 2 * random.uniform() - 1;
    const share = activity.next(panel.openMs[t]!, sigma / (multiple * whole.scale), noise);
    const isHidden = hidden[t] === 1 || whole.down[t] === 1;
    const isFlat = random.uniform() < zeroVolumeFrac && !isHidden;
    const open = isFlat ? close : close * (1 + gap);
    const move = Math.max(-moveLimit, Math.min(moveLimit, sigma * noise));
    close = isFlat ? close : open * (1 + strength * sigma * planted.signal() + move);
    const seen = !isHidden && !isFlat;
    const u = seen ? surprise : 0;
    flow = planted.flow.memory * flow + planted.flow.share * u;
    if (!isHidden) {
      const bar = {
        open,
        close,
        reach: isFlat ? [0, 0] : reach,
        volume: isFlat ? 0 : (activity.quotePerBar * share) / close,
      };
      placeBar(panel, at, bar, flow);
    }
    const past = t >= reversalBars ? panel.close[at - reversalBars]! : Number.NaN;
    const run = Number.isNaN(past) ? 0 : Math.log(close / past);
    planted.close(u, run / reversalScale);
    if (!isHidden) {
      expected[at] =
        strength * multiple * planted.payout(whole.sigmas[whole.volatile[t + 1]! as 0 | 1]);
    }
  }
}

/** Traded amount: a daily wave, more when volatile, more in a bar that moves, and a slow wander. */
function createActivity(random: Random, timeframeMs: number) {
  let wander = 0;
  return {
    quotePerBar: 2e7 * (timeframeMs / hourMs) * Math.exp(0.5 * random.normal()),
    /** Share of the usual volume in a bar. */
    next(openMs: number, hourlyVolatility: number, noise: number): number {
      wander = 0.8 * wander + 0.2 * random.normal();
      const dayWave = 0.5 * Math.sin((2 * Math.PI * (openMs / hourMs - 8)) / 24);
      const stir = 0.8 * Math.log(hourlyVolatility / hourlySigma.longRun);
      return Math.exp(dayWave + stir + 0.25 * Math.min(4, Math.abs(noise)) + wander);
    },
  };
}

function placeBar(
  panel: BarPanel,
  at: number,
  bar: { open: number; close: number; reach: readonly number[]; volume: number },
  flow: number,
): void {
  const { open, close, volume } = bar;
  const high = Math.max(open, close) * (1 + bar.reach[0]!);
  const low = Math.min(open, close) / (1 + bar.reach[1]!);
  const quote = volume * ((open + high + low + close) / 4);
  panel.open[at] = open;
  panel.high[at] = high;
  panel.low[at] = low;
  panel.close[at] = close;
  panel.volume[at] = volume;
  panel.quoteVolume[at] = quote;
  panel.trades[at] = Math.ceil(quote / 2000);
  panel.takerBuyVolume[at] = (volume * (1 + flow)) / 2;
  panel.quality[at] = volume === 0 ? barQuality.zeroVolume : 0;
}

function emptyPanel(options: SimulatorOptions, timeframeMs: number, steps: number): BarPanel {
  const { seed, symbols, days, timeframe, alpha, structure } = options;
  const kind = structure === 'sequence' ? { structure } : {};
  const recipe = { simulator: 1, seed, symbols, days, timeframe, alpha, ...kind };
  return {
    timeframeMs,
    symbols: Array.from({ length: symbols }, (_, s) => `SIM${String(s + 1).padStart(4, '0')}`),
    openMs: Float64Array.from({ length: steps }, (_, t) => startMs + t * timeframeMs),
    ...missingBars(symbols * steps),
    dataVersion: '',
    sources: [{ file: 'simulator', sha256: digestOf(recipe), venue: 'simulator' }],
  };
}

/** The `data_version` that the store gives the same bars. */
function versionOf(panel: BarPanel): string {
  const hash = createBarContentHash();
  const openMs = panel.openMs;
  const row = [new Float64Array(1), ...barColumns(panel).map(() => new Float64Array(1))];
  const columns = barColumns(panel);
  const symbols = panel.symbols.map((symbol, s) => {
    let rows = 0;
    for (let t = 0; t < openMs.length; t += 1) {
      const at = s * openMs.length + t;
      if (panel.quality[at]! & barQuality.missing) continue;
      row[0]![0] = openMs[t]!;
      for (let k = 0; k < columns.length; k += 1) row[k + 1]![0] = columns[k]![at]!;
      hash.push(row, 0, panel.quality[at]!, 0);
      rows += 1;
    }
    return { symbol, rows };
  });
  return dataVersionOf({
    timeframeMs: panel.timeframeMs,
    symbols,
    sources: panel.sources,
    rowsSha256: hash.digest(),
  });
}
