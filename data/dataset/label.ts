// Labels: forward simple return from the next open to the open `horizonBars` later, optionally in units of recent volatility.

import { SluiceError } from '../../core/index.ts';
import type { BarPanel } from '../market/index.ts';
import type { LabelSpec } from './types.ts';

/** The labels of every bar of a panel, rows or not. */
export interface PanelLabels {
  /** [S*T] NaN = no label: an end of the label is missing, or its scale is missing or zero */
  readonly label: Float32Array;
  /** [S*T] what the return was divided by; 1 without scaling */
  readonly scale: Float32Array;
}

/** @throws SluiceError `out_of_range` */
export function computeLabels(panel: BarPanel, spec: LabelSpec): PanelLabels {
  checkLabelSpec(spec);
  const times = panel.openMs.length;
  const scale = computeScales(panel, spec);
  const label = new Float32Array(scale.length).fill(Number.NaN);
  for (let s = 0; s < panel.symbols.length; s += 1) {
    for (let t = 0; t + 1 + spec.horizonBars < times; t += 1) {
      const at = s * times + t;
      const entry = panel.open[at + 1]!;
      const exit = panel.open[at + 1 + spec.horizonBars]!;
      label[at] = scale[at]! > 0 ? (exit / entry - 1) / scale[at]! : Number.NaN;
    }
  }
  return { label, scale };
}

function checkLabelSpec({ horizonBars, volatilityBars }: LabelSpec): void {
  const isCount = (n: number) => Number.isInteger(n) && n >= 1;
  if (isCount(horizonBars) && (volatilityBars === null || isCount(volatilityBars))) return;
  throw new SluiceError(
    'out_of_range',
    `Expected a horizon of at least 1 bar and volatility over null or at least 1 bar, found ${horizonBars} and ${volatilityBars}.`,
    { horizonBars, volatilityBars },
  );
}

/** Realised volatility over the last `volatilityBars` log returns times sqrt(horizon); NaN over a missing bar. */
function computeScales(panel: BarPanel, spec: LabelSpec): Float32Array {
  const times = panel.openMs.length;
  const scale = new Float32Array(panel.symbols.length * times);
  if (spec.volatilityBars === null) return scale.fill(1);
  scale.fill(Number.NaN);
  for (let s = 0; s < panel.symbols.length; s += 1) {
    const squares = squaredReturns(panel.close.subarray(s * times, (s + 1) * times));
    for (let t = spec.volatilityBars; t < times; t += 1) {
      // summed anew for every bar: a running sum would drift and depend on where the panel begins
      let sum = 0;
      for (let i = 0; i < spec.volatilityBars; i += 1) sum += squares[t - i]!;
      scale[s * times + t] = Math.sqrt((sum / spec.volatilityBars) * spec.horizonBars);
    }
  }
  return scale;
}

function squaredReturns(close: Float64Array): Float64Array {
  const squares = new Float64Array(close.length).fill(Number.NaN);
  for (let t = 1; t < close.length; t += 1) {
    const logReturn = Math.log(close[t]! / close[t - 1]!);
    squares[t] = logReturn * logReturn;
  }
  return squares;
}
