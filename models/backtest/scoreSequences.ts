// Scores of windows of bars, as `scorePanel` gives them of rows: what a server would have known at a bar's close.

import { SluiceError } from '../../core/index.ts';
import { type FeatureSpec, featureSeries, pickFeatures } from '../../data/feature/index.ts';
import type { BarPanel } from '../../data/market/index.ts';
import type { SequenceScorer } from '../score/index.ts';
import type { TimeSpan } from './provenance.ts';

const chunkWindows = 256;

/**
 * Scores each bar that is there and has the whole look-back of its window inside the panel: that of the spec for the
 * oldest token. A missing bar inside a window is NaN to the scorer. Channels are computed once per bar, windows copied
 * out a few at a time.
 * @param channels names of entries of the spec, in the order that the scorer reads
 * @param window only bars whose open lies in it; null = all
 * @returns [S*T] scores on the panel's grid, NaN elsewhere
 * @throws SluiceError `config_invalid` for an unknown channel | `length_mismatch` for a scorer of another width |
 *   `cancelled` | what the feature stream and the scorer throw
 */
export function scoreSequences(
  spec: FeatureSpec,
  channels: readonly string[],
  scorer: SequenceScorer,
  panel: BarPanel,
  window: TimeSpan | null,
  signal: AbortSignal,
): Float64Array {
  const picked = pickFeatures(spec, channels);
  checkWidth(scorer, channels);
  const { nTokens } = scorer;
  const width = channels.length;
  const times = panel.openMs.length;
  const symbols = panel.symbols.length;
  const grid = new Float64Array(symbols * times).fill(Number.NaN);
  const { first, end } = scoredTimes(panel, window, spec.lookbackBars + nTokens - 2);
  if (first >= end) return grid;
  stopIfAsked(signal);
  const oldest = first - nTokens + 1;
  const series = featureSeries(picked, panel, oldest, end);
  const windows = new Float32Array(chunkWindows * nTokens * width);
  const cells = new Int32Array(chunkWindows);
  let rows = 0;
  const flush = () => {
    stopIfAsked(signal);
    const scores = scorer.score(windows.subarray(0, rows * nTokens * width), rows);
    scores.forEach((score, row) => {
      grid[cells[row]!] = score;
    });
    rows = 0;
  };
  for (let s = 0; s < symbols; s += 1) {
    for (let t = first; t < end; t += 1) {
      if (Number.isNaN(panel.close[s * times + t]!)) continue;
      const from = (s * (end - oldest) + t - first) * width;
      windows.set(series.subarray(from, from + nTokens * width), rows * nTokens * width);
      cells[rows] = s * times + t;
      rows += 1;
      if (rows === chunkWindows) flush();
    }
  }
  if (rows > 0) flush();
  return grid;
}

function checkWidth({ nChannels }: SequenceScorer, channels: readonly string[]): void {
  if (channels.length === nChannels) return;
  throw new SluiceError(
    'length_mismatch',
    `The scorer reads ${nChannels} channels; found ${channels.length}.`,
  );
}

/** Grid times [first, end) of the window, none before `earliest`. */
function scoredTimes({ openMs }: BarPanel, window: TimeSpan | null, earliest: number) {
  if (window === null) return { first: earliest, end: openMs.length };
  const begin = openMs.findIndex((ms) => ms >= window.from);
  const after = openMs.findIndex((ms) => ms >= window.to);
  const end = after < 0 ? openMs.length : after;
  return { first: begin < 0 ? end : Math.max(earliest, begin), end };
}

function stopIfAsked(signal: AbortSignal): void {
  if (signal.aborted) throw new SluiceError('cancelled', 'The scoring was stopped on request.');
}
