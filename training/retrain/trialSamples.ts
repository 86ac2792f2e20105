// The rows that trials of a search are judged on: bars stored once for all trials, and windows cut as a retrain cuts them.

import { buildDataset } from '../../data/dataset/index.ts';
import { barFeaturesV1 } from '../../data/feature/index.ts';
import { type BarPanel, loadPanel } from '../../data/market/index.ts';
import type { TimeSpan } from '../../models/backtest/index.ts';
import {
  type Fold,
  liftFold,
  type SampleIntervals,
  selectIntervals,
  walkForward,
} from '../validate/index.ts';
import type { RetrainConfig } from './config.ts';
import { type MarketRequest, obtainMarket } from './market.ts';
import { effectiveConfig } from './origin.ts';
import { marketKey } from './runRecords.ts';
import { prepareSamples, type Samples, type SearchSamples, windowsOf } from './samples.ts';

/** The market of a search: bars stored once for all trials, and the spans that a retrain would cut. */
export interface TrialMarket {
  /** the config as it takes effect on these bars */
  readonly config: RetrainConfig;
  /** trials on it count together, see {@link marketKey} */
  readonly market: string;
  readonly bars: TrialBars;
  readonly dataVersion: string;
  readonly embargoMs: number;
  /** closed, of labels */
  readonly windows: ReturnType<typeof windowsOf>;
}

/** Imports, opens or simulates the bars and cuts the spans. @throws what the import and {@link prepareSamples} throw */
export async function openTrialMarket(request: MarketRequest): Promise<TrialMarket> {
  const found = await obtainMarket(request);
  const config = effectiveConfig(request.config, found);
  const samples = prepareSamples(config, found.panel, request.signal);
  return {
    config,
    market: marketKey(config),
    bars: { store: found.stored.path, symbols: config.data.symbols },
    dataVersion: found.panel.dataVersion,
    embargoMs: samples.embargoMs,
    windows: windowsOf(samples),
  };
}

/** Bars of a trial. */
export interface TrialBars {
  /** folder of the stored bars */
  readonly store: string;
  readonly symbols: readonly string[];
}

/** The rows of a window of the search span. */
export interface WindowSamples extends SearchSamples {
  readonly rows: Int32Array;
}

/**
 * Rows whose labels lie within a window. Bars that open after it are not even read.
 * @param window closed, Unix ms: earliest start and latest end of a label
 */
export async function windowSamples(
  config: RetrainConfig,
  bars: TrialBars,
  window: TimeSpan,
): Promise<WindowSamples> {
  const panel = await loadPanel({
    storePath: bars.store,
    symbols: bars.symbols,
    toMs: window.to + 1,
  });
  const { horizon_bars: horizonBars, volatility_bars: volatilityBars } = config.label;
  const dataset = buildDataset({
    panel,
    featureSpec: featuresOf(panel),
    labelSpec: { horizonBars, volatilityBars },
  });
  const intervals = { start: dataset.t0, end: dataset.t1 };
  const embargoMs = config.windows.embargo_bars * panel.timeframeMs;
  return { dataset, intervals, embargoMs, rows: rowsWithin(intervals, window) };
}

const featuresOf = ({ symbols, timeframeMs }: BarPanel) =>
  barFeaturesV1({ symbolCount: symbols.length, timeframeMs });

const rowsWithin = ({ start, end }: SampleIntervals, { from, to }: TimeSpan): Int32Array =>
  Int32Array.from({ length: start.length }, (_, row) => row).filter(
    (row) => start[row]! >= from && end[row]! <= to,
  );

/** Walk-forward folds inside a window, in rows of the dataset. */
export function windowFolds(
  { intervals, embargoMs, rows }: WindowSamples,
  folds: number,
): readonly Fold[] {
  const within = selectIntervals(intervals, rows);
  const plan = walkForward(within, { folds, mode: 'expanding', embargoMs });
  return plan.map((fold) => liftFold(fold, rows));
}

/** All rows and the three spans, as the main job cuts them. */
export async function confirmationSamples(
  config: RetrainConfig,
  bars: TrialBars,
  signal: AbortSignal,
): Promise<Samples> {
  const panel = await loadPanel({ storePath: bars.store, symbols: bars.symbols });
  return prepareSamples(config, panel, signal);
}
