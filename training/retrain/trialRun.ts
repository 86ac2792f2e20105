// One set of parameters on trial, through the same folds, fits, audits and backtests as the main job: inside a window of
// the search span, or in forward confirmation. Nothing is signed, recorded or registered here.

import { type DataRegime, type RunMetrics, silent } from '../../core/index.ts';
import { buildDataset } from '../../data/dataset/index.ts';
import { barFeaturesV1 } from '../../data/feature/index.ts';
import { type BarPanel, loadPanel } from '../../data/market/index.ts';
import { dataRegime, scorePanel, sourcesOf, type TimeSpan } from '../../models/backtest/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import { liftFold, type SampleIntervals, selectIntervals, walkForward } from '../validate/index.ts';
import { type Arm, type ArmRun, cellOf, runArm, runWindow } from './arms.ts';
import type { RetrainConfig } from './config.ts';
import { crossValidate, type FoldContext, fitFinal, fitFold } from './fit.ts';
import { type MarketRequest, obtainMarket } from './market.ts';
import { effectiveConfig } from './origin.ts';
import { fittedSpan, marketKey } from './runRecords.ts';
import { prepareSamples, type Samples, type SearchSamples, windowsOf } from './samples.ts';

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

/** All rows and the three spans, as the main job cuts them. */
export async function confirmationSamples(
  config: RetrainConfig,
  bars: TrialBars,
  signal: AbortSignal,
): Promise<Samples> {
  const panel = await loadPanel({ storePath: bars.store, symbols: bars.symbols });
  return prepareSamples(config, panel, signal);
}

/** What judging a trial takes beside its samples. */
export interface TrialFits {
  readonly config: RetrainConfig;
  readonly library: LightgbmLibrary;
  readonly signal: AbortSignal;
}

/** A run and the time of its decisions. */
export interface TrialRun {
  readonly metrics: RunMetrics;
  readonly span: TimeSpan;
}

/**
 * Walk-forward inside a window: each fold is fitted on what came before it and tested.
 * @returns after each fold the metrics of all test folds so far, as one run
 */
export async function* walkForwardTrial(
  { config, library, signal }: TrialFits,
  samples: WindowSamples,
  folds: number,
): AsyncGenerator<TrialRun> {
  const { dataset, intervals, embargoMs, rows } = samples;
  const context: FoldContext = { library, samples, folds: config.folds, progress: silent, signal };
  const plan = walkForward(selectIntervals(intervals, rows), {
    folds,
    mode: 'expanding',
    embargoMs,
  });
  const arm: Arm = {
    policy: 'tabular_only',
    grid: new Float64Array(dataset.panel.close.length).fill(Number.NaN),
  };
  const from = plan[0]!.testBlocks[0]!.from;
  const tested: number[] = [];
  for (const local of plan) {
    const fold = liftFold(local, rows);
    const { predictions } = await fitFold(context, fold, config.gbdt);
    fold.test.forEach((row, i) => {
      arm.grid[cellOf(dataset, row)] = predictions[i]!;
    });
    tested.push(...fold.test);
    const span = { from, to: fold.testBlocks.at(-1)!.to, rows: Int32Array.from(tested) };
    yield trialRun(runWindow(dataset, arm, span, config.trade));
  }
}

const trialRun = ({ metrics, from, to }: ArmRun): TrialRun => ({ metrics, span: { from, to } });

/** What forward confirmation found. */
export interface Confirmation {
  readonly rounds: number;
  readonly validation: TrialRun;
  readonly forwardOos: TrialRun;
  /** of forward OOS: how its bars relate to what was fitted, and whether a real venue made them */
  readonly dataRegime: DataRegime;
}

/** Purged k-fold decides the rounds; of the other schemes, which only describe, as little as there can be. */
const fewest = { cpcv_groups: 3, cpcv_test_groups: 1, walk_forward: 1 } as const;

/** The trees of the main job: rounds from cross-validation, one fit on the search span, then validation and forward OOS. */
export async function confirmTrial(
  { config, library, signal }: TrialFits,
  samples: Samples,
): Promise<Confirmation> {
  const { dataset, spans } = samples;
  const folds = { ...config.folds, ...fewest };
  const context = { library, samples, folds, progress: silent, signal };
  const { rounds } = await crossValidate(context, config.gbdt);
  const model = await fitFinal(context, dataset, spans.search.rows, config.gbdt, rounds);
  try {
    const trees = { featureCount: model.featureCount, score: model.predict };
    const [grid] = scorePanel(dataset.featureSpec, [trees], dataset.panel, signal);
    const runs = runArm(dataset, { policy: 'tabular_only', grid: grid! }, spans, config.trade);
    const { from, to } = runs.forward_oos;
    const evaluation = { from, to };
    return {
      rounds,
      validation: trialRun(runs.validation),
      forwardOos: trialRun(runs.forward_oos),
      dataRegime: dataRegime({
        sources: sourcesOf(dataset.panel, evaluation),
        evaluation,
        fitted: fittedSpan(windowsOf(samples)),
      }),
    };
  } finally {
    model.close();
  }
}

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
