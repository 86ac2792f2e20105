// Bars -> rows: which bars become rows, their features, label, label interval and cleanliness.

import { type Progress, SluiceError, silent } from '../../core/index.ts';
import { createFeatureStream, type FeatureSpec, featureVersion } from '../feature/index.ts';
import type { BarPanel } from '../market/index.ts';
import { computeLabels, type PanelLabels } from './label.ts';
import type { Dataset, LabelSpec } from './types.ts';

/** What a dataset is made from. */
export interface DatasetRequest {
  readonly panel: BarPanel;
  readonly featureSpec: FeatureSpec;
  readonly labelSpec: LabelSpec;
  readonly progress?: Progress;
  /** Looked at with every report of progress. */
  readonly signal?: AbortSignal;
}

const reportEveryTimes = 4096;

/**
 * Builds the rows of a panel. A bar becomes a row if it is there, the panel holds the whole look-back before it, and its
 * label can be computed; its features may be NaN.
 * @throws SluiceError `cancelled`, and what {@link createFeatureStream} throws; `out_of_range` for an impossible label
 */
export function buildDataset(request: DatasetRequest): Dataset {
  const { panel, featureSpec, labelSpec } = request;
  const labels = computeLabels(panel, labelSpec);
  const dataset = emptyDataset(request, countRows(panel, featureSpec.lookbackBars, labels));
  fillFeatures(dataset, request, labels);
  fillIntervals(dataset, labelSpec.horizonBars);
  fillClean(dataset);
  return dataset;
}

/** True if the bar at `at` (= s * T + t) becomes a row. */
function isRow(panel: BarPanel, labels: PanelLabels, at: number): boolean {
  return !Number.isNaN(panel.close[at]!) && Number.isFinite(labels.label[at]!);
}

function countRows(panel: BarPanel, lookbackBars: number, labels: PanelLabels): number {
  const times = panel.openMs.length;
  let rows = 0;
  for (let s = 0; s < panel.symbols.length; s += 1) {
    for (let t = lookbackBars - 1; t < times; t += 1) {
      if (isRow(panel, labels, s * times + t)) rows += 1;
    }
  }
  return rows;
}

function emptyDataset({ panel, featureSpec, labelSpec }: DatasetRequest, rows: number): Dataset {
  return {
    panel,
    featureSpec,
    featureVersion: featureVersion(featureSpec),
    labelSpec,
    rows,
    features: new Float32Array(rows * featureSpec.entries.length),
    labels: new Float32Array(rows),
    labelScale: new Float32Array(rows),
    symbolIndex: new Uint16Array(rows),
    timeIndex: new Int32Array(rows),
    featureFromMs: new Float64Array(rows),
    t0: new Float64Array(rows),
    t1: new Float64Array(rows),
    clean: new Uint8Array(rows),
  };
}

function fillFeatures(dataset: Dataset, request: DatasetRequest, labels: PanelLabels): void {
  const { panel, featureSpec, progress = silent, signal } = request;
  const times = panel.openMs.length;
  const width = featureSpec.entries.length;
  const stream = createFeatureStream(featureSpec, panel.symbols.length, panel.timeframeMs);
  let row = 0;
  for (let t = 0; t < times; t += 1) {
    if (t % reportEveryTimes === 0) reportProgress(t / times, progress, signal);
    stream.push(panel, t);
    if (t < featureSpec.lookbackBars - 1) continue;
    for (let s = 0; s < panel.symbols.length; s += 1) {
      const at = s * times + t;
      if (!isRow(panel, labels, at)) continue;
      const from = s * width;
      for (let f = 0; f < width; f += 1) {
        dataset.features[row * width + f] = stream.rows[from + f]!;
      }
      dataset.labels[row] = labels.label[at]!;
      dataset.labelScale[row] = labels.scale[at]!;
      dataset.symbolIndex[row] = s;
      dataset.timeIndex[row] = t;
      row += 1;
    }
  }
  reportProgress(1, progress, signal);
}

function reportProgress(doneFrac: number, progress: Progress, signal?: AbortSignal): void {
  progress.update('features', doneFrac);
  if (signal?.aborted) {
    throw new SluiceError('cancelled', 'Building the dataset was stopped on request.');
  }
}

function fillIntervals(dataset: Dataset, horizonBars: number): void {
  const { openMs } = dataset.panel;
  for (let row = 0; row < dataset.rows; row += 1) {
    const t = dataset.timeIndex[row]!;
    dataset.featureFromMs[row] = openMs[t - dataset.featureSpec.lookbackBars + 1]!;
    dataset.t0[row] = openMs[t + 1]!;
    dataset.t1[row] = openMs[t + 1 + horizonBars]!;
  }
}

function fillClean(dataset: Dataset): void {
  const cleanRun = cleanRuns(dataset.panel);
  const times = dataset.panel.openMs.length;
  for (let row = 0; row < dataset.rows; row += 1) {
    const run = cleanRun[dataset.symbolIndex[row]! * times + dataset.timeIndex[row]!]!;
    dataset.clean[row] = run >= dataset.featureSpec.lookbackBars ? 1 : 0;
  }
}

/** [S*T] how many clean bars of the symbol stand in a row up to and including this one. */
function cleanRuns(panel: BarPanel): Int32Array {
  const times = panel.openMs.length;
  const runs = new Int32Array(panel.quality.length);
  for (let at = 0; at < runs.length; at += 1) {
    if (panel.quality[at] !== 0 || Number.isNaN(panel.close[at]!)) continue;
    runs[at] = at % times === 0 ? 1 : runs[at - 1]! + 1;
  }
  return runs;
}
