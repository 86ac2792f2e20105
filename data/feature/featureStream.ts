// Bars in, rows out: the only code that computes features. Histories, live bars and one last row all pass through it.

import { isoTime, SluiceError } from '../../core/index.ts';
import type { BarPanel } from '../market/index.ts';
import { createBarRings } from './barSeries.ts';
import { createFeatureInputs } from './featureInputs.ts';
import { featureKinds } from './featureKind.ts';
import { checkFeatureSpec, specTimeframeMs } from './featureSpec.ts';
import type { FeatureSpec, FeatureStream } from './types.ts';

/**
 * Makes a stream that has seen no bar yet: bars before the first push count as missing, so the first
 * `spec.lookbackBars - 1` rows are not those of a longer history.
 * @returns a stream whose `push` throws SluiceError `unordered_time` unless each time follows the one before by exactly
 *   one bar, `length_mismatch` for a panel of another shape, `out_of_range` for a price or volume that cannot be
 * @throws SluiceError `config_invalid` for a spec that does not hold together or was declared for another bar length
 */
export function createFeatureStream(
  spec: FeatureSpec,
  symbolCount: number,
  timeframeMs: number,
): FeatureStream {
  const { absorb, compute, rows } = createFeatureEngine(spec, symbolCount, timeframeMs);
  return {
    rows,
    push(panel, t) {
      absorb(panel, t);
      compute();
    },
  };
}

/**
 * The rows of a panel's last time, for serving.
 * @param panel at least `spec.lookbackBars` grid times, older ones are not looked at; the symbols in the training panel's
 *   order, since the cross-section is summed in it
 * @returns [S*F], NaN = missing: the bits that the row of a dataset has
 * @throws SluiceError `length_mismatch` if the panel is shorter, and what {@link createFeatureStream} throws
 */
export function computeLastRows(spec: FeatureSpec, panel: BarPanel): Float32Array {
  const times = panel.openMs.length;
  if (times < spec.lookbackBars) {
    throw new SluiceError(
      'length_mismatch',
      `Expected at least ${spec.lookbackBars} bars, which the features look back on, found ${times}; give more history.`,
      { lookbackBars: spec.lookbackBars, times },
    );
  }
  const engine = createFeatureEngine(spec, panel.symbols.length, panel.timeframeMs);
  for (let t = times - spec.lookbackBars; t < times; t += 1) engine.absorb(panel, t);
  engine.compute();
  return engine.rows;
}

interface FeatureEngine {
  readonly rows: Float32Array;
  absorb(panel: BarPanel, t: number): void;
  compute(): void;
}

function createFeatureEngine(
  spec: FeatureSpec,
  symbolCount: number,
  timeframeMs: number,
): FeatureEngine {
  checkFeatureSpec(spec);
  checkTimeframe(spec, timeframeMs);
  const rings = createBarRings(symbolCount, spec.lookbackBars);
  const { inputs, refill } = createFeatureInputs(symbolCount, rings);
  const reads = spec.entries.map(({ kind, params }) => featureKinds[kind]!.compile(params, inputs));
  const rows = new Float32Array(symbolCount * reads.length).fill(Number.NaN);
  let newestMs = Number.NaN;
  return {
    rows,
    absorb(panel, t) {
      checkShape(panel, symbolCount, timeframeMs);
      const openMs = nextTime(panel.openMs[t], newestMs, timeframeMs);
      rings.absorb(panel, t);
      newestMs = openMs;
    },
    compute() {
      refill(newestMs + timeframeMs);
      for (let s = 0, at = 0; s < symbolCount; s += 1) {
        for (let f = 0; f < reads.length; f += 1, at += 1) rows[at] = reads[f]!(s);
      }
    },
  };
}

function checkTimeframe(spec: FeatureSpec, timeframeMs: number): void {
  const declared = specTimeframeMs(spec);
  if (declared === timeframeMs) return;
  throw new SluiceError(
    'config_invalid',
    `The features are declared for bars of ${declared} ms, found bars of ${timeframeMs} ms; declare them for these bars.`,
    { declared, timeframeMs },
  );
}

function checkShape(panel: BarPanel, symbolCount: number, timeframeMs: number): void {
  if (panel.symbols.length === symbolCount && panel.timeframeMs === timeframeMs) return;
  throw new SluiceError(
    'length_mismatch',
    `Expected ${symbolCount} symbols in bars of ${timeframeMs} ms, found ${panel.symbols.length} in bars of ${panel.timeframeMs} ms.`,
    { symbolCount, timeframeMs },
  );
}

function nextTime(openMs: number | undefined, newestMs: number, timeframeMs: number): number {
  const first = Number.isNaN(newestMs) && Number.isFinite(openMs);
  if (first || openMs === newestMs + timeframeMs) return openMs!;
  const said = (ms: number | undefined) =>
    Number.isFinite(ms) ? isoTime(ms!) : `no time (${String(ms)})`;
  throw new SluiceError(
    'unordered_time',
    `Expected the bar that follows ${said(newestMs)}, found ${said(openMs)}; push every grid time once, a missing bar as NaN.`,
    { openMs, newestMs, timeframeMs },
  );
}
