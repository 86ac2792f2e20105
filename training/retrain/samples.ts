// The rows of a run and the three windows that they fall into.

import { buildDataset, type Dataset } from '../../data/dataset/index.ts';
import { barFeaturesBaseline, barFeaturesV1, type FeatureSpec } from '../../data/feature/index.ts';
import type { BarPanel } from '../../data/market/index.ts';
import { type SampleIntervals, type Spans, splitSpans } from '../validate/index.ts';
import type { RetrainConfig } from './config.ts';

/** What a fold draws its rows from. */
export interface SearchSamples {
  readonly dataset: Dataset;
  /** label intervals of the dataset's rows */
  readonly intervals: SampleIntervals;
  readonly embargoMs: number;
}

/** What every fit of a run draws its rows from. */
export interface Samples extends SearchSamples {
  /** the same bars with the frozen baseline's few features */
  readonly baselineDataset: Dataset;
  readonly spans: Spans;
}

/** Builds both datasets and cuts the windows. @throws SluiceError `out_of_range` if the bars are too few */
export function prepareSamples(
  config: RetrainConfig,
  panel: BarPanel,
  signal: AbortSignal,
): Samples {
  const dataset = datasetOf(config, panel, barFeaturesV1, signal);
  const intervals = { start: dataset.t0, end: dataset.t1 };
  const embargoMs = config.windows.embargo_bars * panel.timeframeMs;
  const spans = splitSpans(intervals, {
    validationFrac: config.windows.validation_frac,
    forwardOosFrac: config.windows.forward_oos_frac,
    embargoMs,
  });
  const baselineDataset = datasetOf(config, panel, barFeaturesBaseline, signal);
  return { dataset, baselineDataset, intervals, embargoMs, spans };
}

function datasetOf(
  { label }: RetrainConfig,
  panel: BarPanel,
  features: (options: { symbolCount: number; timeframeMs: number }) => FeatureSpec,
  signal: AbortSignal,
): Dataset {
  const { symbols, timeframeMs } = panel;
  return buildDataset({
    panel,
    featureSpec: features({ symbolCount: symbols.length, timeframeMs }),
    labelSpec: { horizonBars: label.horizon_bars, volatilityBars: label.volatility_bars },
    signal,
  });
}

/** Start and end of the windows, with their rows. */
export function windowsOf({ spans }: Samples) {
  const of = ({ from, to, rows }: Spans['search']) => ({ from, to, rows: rows.length });
  return {
    search: of(spans.search),
    validation: of(spans.validation),
    forward_oos: of(spans.forward_oos),
  };
}
