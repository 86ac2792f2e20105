// Features of every bar as series, for models that read sequences: training and backtests lay them out here.

import { SluiceError } from '../../core/index.ts';
import type { BarPanel } from '../market/index.ts';
import { createFeatureStream } from './featureStream.ts';
import type { FeatureSpec } from './types.ts';

/**
 * A spec of some of its entries; its look-back stays.
 * @param names of entries, in the order wanted
 * @throws SluiceError `config_invalid` for an unknown name, or none
 */
export function pickFeatures(spec: FeatureSpec, names: readonly string[]): FeatureSpec {
  const entries = names.map((name) => spec.entries.find((entry) => entry.name === name));
  const unknown = names.filter((_, i) => entries[i] === undefined);
  if (names.length === 0 || unknown.length > 0) {
    throw new SluiceError(
      'config_invalid',
      `Expected channels out of ${spec.entries.map((entry) => entry.name).join(', ')}, found ${unknown.join(', ') || 'none'}.`,
      { unknown },
    );
  }
  return { ...spec, entries: entries.filter((entry) => entry !== undefined) };
}

/**
 * Computes grid times [from, to) of every symbol; the stream begins where the look-back of the first does, or with the panel.
 * @returns [S*(to-from)*C] symbol-major, NaN = missing
 * @throws SluiceError what the stream throws
 */
export function featureSeries(
  spec: FeatureSpec,
  panel: BarPanel,
  from: number,
  to: number,
): Float32Array {
  const symbols = panel.symbols.length;
  const width = spec.entries.length;
  const series = new Float32Array(symbols * (to - from) * width);
  const stream = createFeatureStream(spec, symbols, panel.timeframeMs);
  for (let t = Math.max(0, from - spec.lookbackBars + 1); t < to; t += 1) {
    stream.push(panel, t);
    if (t < from) continue;
    for (let s = 0; s < symbols; s += 1) {
      const row = stream.rows.subarray(s * width, (s + 1) * width);
      series.set(row, (s * (to - from) + t - from) * width);
    }
  }
  return series;
}
