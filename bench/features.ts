// Feature rows per minute: the whole stream (windows re-summed for every bar) on one core, and the dataset built on it.
// A sample of rows is compared with the slow version of every feature before anything is reported.

import { createRandom } from '../core/index.ts';
import { buildDataset } from '../data/dataset/index.ts';
import { barFeaturesV1, createFeatureStream, type FeatureSpec } from '../data/feature/index.ts';
import type { BarPanel } from '../data/market/index.ts';
import { slowFeature, slowTolerance } from '../test/data/feature/slowFeatures.ts';
import { randomPanel } from '../test/data/feature/toyPanel.ts';
import { report, time } from './harness.ts';

const targetRowsPerMinute = 2_000_000;
const cases = [
  { name: 'two_symbols', symbols: 2, times: 60_000 },
  { name: 'twenty_symbols', symbols: 20, times: 6_000 },
  { name: 'two_hundred_symbols', symbols: 200, times: 600 },
];

function pushAll(panel: BarPanel, spec: FeatureSpec): void {
  const stream = createFeatureStream(spec, panel.symbols.length, panel.timeframeMs);
  for (let t = 0; t < panel.openMs.length; t += 1) stream.push(panel, t);
}

/** Compares 20 random times with the definition; throws on the first difference. */
function checkSample(panel: BarPanel, spec: FeatureSpec): number {
  const random = createRandom(1);
  const times = panel.openMs.length;
  const sample = new Set(
    Array.from({ length: 20 }, () => spec.lookbackBars + random.integer(times - spec.lookbackBars)),
  );
  const stream = createFeatureStream(spec, panel.symbols.length, panel.timeframeMs);
  let checked = 0;
  for (let t = 0; t < times; t += 1) {
    stream.push(panel, t);
    if (!sample.has(t)) continue;
    const s = random.integer(panel.symbols.length);
    spec.entries.forEach((entry, f) => {
      const found = stream.rows[s * spec.entries.length + f]!;
      const wanted = slowFeature(panel, entry, s, t);
      const agree =
        Number.isNaN(wanted) === Number.isNaN(found) &&
        !(Math.abs(found - wanted) > slowTolerance(entry, wanted));
      if (!agree) throw new Error(`${entry.name} at ${t}: ${found}, by definition ${wanted}`);
      checked += 1;
    });
  }
  return checked;
}

const results: Record<string, unknown> = {};
for (const { name, symbols, times } of cases) {
  const panel = randomPanel({ seed: 1, symbols, times, gapFrac: 0.0005, zeroVolumeFrac: 0.001 });
  const spec = barFeaturesV1({ symbolCount: symbols, timeframeMs: panel.timeframeMs });
  const valuesChecked = checkSample(panel, spec);
  const stream = await time(() => pushAll(panel, spec));
  const labelSpec = { horizonBars: 4, volatilityBars: 96 };
  const dataset = await time(() => buildDataset({ panel, featureSpec: spec, labelSpec }));
  const rows = symbols * times;
  results[name] = {
    rows,
    features: spec.entries.length,
    lookback_bars: spec.lookbackBars,
    values_checked: valuesChecked,
    stream: { ...stream, rows_per_s: rows / stream.median_s },
    stream_rows_per_minute: (60 * rows) / stream.median_s,
    dataset: { ...dataset, rows_per_s: rows / dataset.median_s },
    dataset_rows_per_minute: (60 * rows) / dataset.median_s,
    times_target: (60 * rows) / stream.median_s / targetRowsPerMinute,
  };
}
report('features', {
  unit: 'one row = one symbol at one time, every feature; one thread',
  target_rows_per_minute: targetRowsPerMinute,
  cases: results,
});
