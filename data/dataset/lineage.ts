// Where a row comes from, and how good the bars under it are.

import { createHash } from 'node:crypto';
import { canonicalJson, SluiceError } from '../../core/index.ts';
import { type BarPanel, barQuality } from '../market/index.ts';
import type { Dataset } from './types.ts';

/** The passport of one row, in the words of the specification. Times are Unix ms UTC. */
export interface RowLineage {
  readonly data_version: string;
  readonly feature_version: string;
  /** Source of the row's own newest bar. */
  readonly source_file: string;
  readonly source_sha256: string;
  readonly venue: string;
  /** Every file that a feature or the label of this row may have read, any symbol; sha256, sorted. */
  readonly input_sha256s: readonly string[];
  /** Bars are taken as they stand on the grid: none was moved, filled or interpolated. */
  readonly mapping: 'on_grid_exact';
  readonly symbol: string;
  readonly bar_open_ms: number;
  readonly feature_from_ms: number;
  readonly t0: number;
  readonly t1: number;
  /** Share in [0, 1] of sound bars in the look-back: a missing bar counts 0, one without volume one half. */
  readonly quality_score: number;
  /** True for simulated bars. */
  readonly synthetic: boolean;
}

const zeroVolumeWeight = 0.5;

/** @throws SluiceError `out_of_range` for a row that is not there */
export function rowLineage(dataset: Dataset, row: number): RowLineage {
  checkRow(dataset, row);
  const { panel } = dataset;
  const symbol = dataset.symbolIndex[row]!;
  const t = dataset.timeIndex[row]!;
  const source = panel.sources[panel.sourceIndex[symbol * panel.openMs.length + t]!]!;
  return {
    data_version: panel.dataVersion,
    feature_version: dataset.featureVersion,
    source_file: source.file,
    source_sha256: source.sha256,
    venue: source.venue,
    input_sha256s: inputSources(dataset, t),
    mapping: 'on_grid_exact',
    symbol: panel.symbols[symbol]!,
    bar_open_ms: panel.openMs[t]!,
    feature_from_ms: dataset.featureFromMs[row]!,
    t0: dataset.t0[row]!,
    t1: dataset.t1[row]!,
    quality_score: qualityScore(panel, symbol, t, dataset.featureSpec.lookbackBars),
    synthetic: source.venue === 'simulator',
  };
}

function checkRow(dataset: Dataset, row: number): void {
  if (Number.isInteger(row) && row >= 0 && row < dataset.rows) return;
  throw new SluiceError(
    'out_of_range',
    `Expected a row from 0 to ${dataset.rows - 1}, found ${row}.`,
    { row, rows: dataset.rows },
  );
}

function inputSources({ panel, featureSpec, labelSpec }: Dataset, t: number): string[] {
  const times = panel.openMs.length;
  const lookback = Math.max(featureSpec.lookbackBars, (labelSpec.volatilityBars ?? 0) + 1);
  const from = Math.max(0, t - lookback + 1);
  const found = new Set<string>();
  for (let s = 0; s < panel.symbols.length; s += 1) {
    for (let u = from; u <= t + 1 + labelSpec.horizonBars; u += 1) {
      const at = s * times + u;
      if (!Number.isNaN(panel.close[at]!)) found.add(panel.sources[panel.sourceIndex[at]!]!.sha256);
    }
  }
  return [...found].sort();
}

function qualityScore(panel: BarPanel, symbol: number, t: number, lookbackBars: number): number {
  let score = 0;
  for (let u = t - lookbackBars + 1; u <= t; u += 1) {
    const at = symbol * panel.openMs.length + u;
    if (Number.isNaN(panel.close[at]!)) continue;
    const idle = (panel.quality[at]! & barQuality.zeroVolume) !== 0;
    score += idle ? zeroVolumeWeight : 1;
  }
  return score / lookbackBars;
}

/** sha256 over everything a dataset holds, bit by bit, hex: equal digests mean equal rows. */
export function datasetDigest(dataset: Dataset): string {
  const hash = createHash('sha256');
  hash.update(
    canonicalJson({
      data_version: dataset.panel.dataVersion,
      feature_version: dataset.featureVersion,
      horizon_bars: dataset.labelSpec.horizonBars,
      volatility_bars: dataset.labelSpec.volatilityBars,
      symbols: dataset.panel.symbols,
      rows: dataset.rows,
    }),
  );
  for (const column of [
    dataset.features,
    dataset.labels,
    dataset.labelScale,
    dataset.symbolIndex,
    dataset.timeIndex,
    dataset.featureFromMs,
    dataset.t0,
    dataset.t1,
    dataset.clean,
  ]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  }
  return hash.digest('hex');
}
