// The two returns that a simulated market can hold. Of bar t they know u[t], the surprise in its order flow (uniform in
// (-1, 1), zero where no bar shows it), and R[t], the log return of the last 24 bars; mu[t+1] = c alpha sigma[t+1] F[t].
//
//   tabular    F[t] = 0.9 F[t-1] + tanh(2 u[t]) (0.4 - 0.6 tanh(2 R[t] / (0.006 sqrt(24 b)))),  c = 0.083
//   sequence   F[t] = u[t-35] - u[t-47] + v[t-35] + v[t-47],  c = 0.3;  v as u, but no bar shows it
//
// tabular: buyers who are suddenly aggressive are followed by a rise after a fall, and by a slight fall after a rise. u
// is symmetric and independent of all else, so E[F[t+k]] = 0.9^k F[t] exactly. A linear model of returns sees nothing,
// one that also sees order flow a part, trees most.
// sequence: a buyer's surprise lifts the price 36 bars later and lowers it again 48 bars later. The next 12 bars rest on
// u[t-24] .. u[t-47] and on nothing newer, with signs that cancel: no sum of flow over up to 24 bars holds any of it, a
// longer one only zero. v takes from the drift's autocovariance what u puts there, so past returns tell nothing either.
// A linear map of 48 tokens of flow sees all of it.

import type { Random } from '../../core/index.ts';

/** Kinds of planted return. */
export const plantedStructures = ['tabular', 'sequence'] as const;

/** One of {@link plantedStructures}. */
export type PlantedStructure = (typeof plantedStructures)[number];

/** Bars over which the expected return of a simulated market is summed. */
export const simulatedHorizonBars = 12;

/** The planted return of one symbol, fed bar after bar. */
export interface PlantedReturn {
  /** Order flow B[t] = memory B[t-1] + share u[t]. */
  readonly flow: { readonly memory: number; readonly share: number };
  /** c of the head: drift per unit of F, in units of the bar's volatility, at alpha 1. */
  readonly driftPerSignal: number;
  /** F of the newest closed bar; 0 before the first. */
  signal(): number;
  /** Takes in bar t. @param surprise u[t]  @param run R[t] in units of 0.006 sqrt(24 b) */
  close(surprise: number, run: number): void;
  /** Expected sum of F times sigma over the coming bars. @param sigmas [12] expected volatility of each */
  payout(sigmas: Float64Array): number;
}

/** Plants a structure, tabular if none is named, into `steps` bars; see the head. */
export function plantReturn(
  structure: PlantedStructure | undefined,
  steps: number,
  random: Random,
): PlantedReturn {
  return structure === 'sequence' ? sequenceReturn(steps, random.fork('unseen')) : tabularReturn();
}

const flowMemory = 0.9;

function tabularReturn(): PlantedReturn {
  let signal = 0;
  return {
    flow: { memory: flowMemory, share: 1 - flowMemory },
    driftPerSignal: 0.083,
    signal: () => signal,
    close(surprise, run) {
      const gate = 0.4 - 0.6 * Math.tanh(2 * run);
      signal = flowMemory * signal + Math.tanh(2 * surprise) * gate;
    },
    payout: (sigmas) => sigmas.reduce((sum, sigma, k) => sum + flowMemory ** k * signal * sigma, 0),
  };
}

/** Bars until a surprise lifts the price, and until it lowers it again. */
const delay = { rise: 36, fall: 48 };

function sequenceReturn(steps: number, random: Random): PlantedReturn {
  const shown = new Float64Array(delay.fall + steps);
  const unseen = new Float64Array(delay.fall + steps);
  let coming = delay.fall; // where the surprise of the coming bar will stand; nothing happened before the first
  return {
    flow: { memory: 0, share: 0.25 },
    driftPerSignal: 0.3,
    signal() {
      const [rise, fall] = [coming - delay.rise, coming - delay.fall];
      return shown[rise]! - shown[fall]! + unseen[rise]! + unseen[fall]!;
    },
    close(surprise) {
      shown[coming] = surprise;
      unseen[coming] = 2 * random.uniform() - 1;
      coming += 1;
    },
    payout: (sigmas) =>
      sigmas.reduce(
        (sum, sigma, k) =>
          sum + (shown[coming + k - delay.rise]! - shown[coming + k - delay.fall]!) * sigma,
        0,
      ),
  };
}
