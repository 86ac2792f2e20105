// Which bars of a panel a run covers, and the checks that every run makes before its first step.

import { lowerBound, SluiceError } from '../../core/index.ts';
import type { BacktestInput } from './types.ts';

/** Bars [first, first + steps) of the panel's grid. */
export interface StepRange {
  readonly first: number;
  readonly steps: number;
}

/**
 * The bars whose open lies in [fromMs, toMs).
 * @throws SluiceError `length_mismatch` | `unordered_time` | `non_finite` | `out_of_range`
 */
export function stepRange(input: BacktestInput): StepRange {
  const { panel, fromMs, toMs } = input;
  requireLengths(input);
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs)) {
    throw new SluiceError(
      'non_finite',
      `A window needs two finite times; found ${fromMs}, ${toMs}.`,
    );
  }
  requireGrid(panel.openMs, panel.timeframeMs);
  const first = lowerBound(panel.openMs, fromMs);
  const steps = lowerBound(panel.openMs, toMs) - first;
  if (steps > 0) return { first, steps };
  throw new SluiceError(
    'out_of_range',
    `The window [${fromMs}, ${toMs}) holds no bar; the panel's bars open in [${panel.openMs[0]}, ${panel.openMs.at(-1)}].`,
    { fromMs, toMs },
  );
}

function requireLengths({ panel, scores }: BacktestInput): void {
  const expected = panel.symbols.length * panel.openMs.length;
  const { open, close, volume, quoteVolume } = panel;
  for (const [name, column] of Object.entries({ scores, open, close, volume, quoteVolume })) {
    if (column.length === expected) continue;
    throw new SluiceError(
      'length_mismatch',
      `Expected ${expected} ${name} (symbols x bars, symbol-major); found ${column.length}.`,
      { name, expected, found: column.length },
    );
  }
}

function requireGrid(openMs: Float64Array, timeframeMs: number): void {
  for (let t = 1; t < openMs.length; t += 1) {
    if (openMs[t]! - openMs[t - 1]! === timeframeMs) continue;
    throw new SluiceError(
      'unordered_time',
      `Expected bars every ${timeframeMs} ms; found ${openMs[t - 1]} followed by ${openMs[t]}.`,
      { index: t },
    );
  }
}
