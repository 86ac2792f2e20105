// Scores of every bar that a decision could follow: what a server would have known at its close, no more. Retrain and
// the command `backtest` score through this one function.

import { SluiceError } from '../../core/index.ts';
import { createFeatureStream, type FeatureSpec } from '../../data/feature/index.ts';
import type { BarPanel } from '../../data/market/index.ts';
import type { Scorer } from '../score/index.ts';
import type { TimeSpan } from './provenance.ts';

const chunkTimes = 2048;

/**
 * Scores each bar that is there and has its whole look-back inside the panel. Whether a bar has a label, which only
 * later bars decide, is not asked.
 * @param scorers of rows of this spec
 * @returns [scorers][S*T] scores on the panel's grid, NaN elsewhere
 * @throws SluiceError `cancelled` | what the feature stream and the scorers throw
 */
export function scorePanel(
  spec: FeatureSpec,
  scorers: readonly Scorer[],
  panel: BarPanel,
  signal: AbortSignal,
): Float64Array[] {
  const times = panel.openMs.length;
  const symbols = panel.symbols.length;
  const width = spec.entries.length;
  const stream = createFeatureStream(spec, symbols, panel.timeframeMs);
  const grids = scorers.map(() => new Float64Array(symbols * times).fill(Number.NaN));
  const features = new Float32Array(chunkTimes * symbols * width);
  const cells = new Int32Array(chunkTimes * symbols);
  for (let from = 0; from < times; from += chunkTimes) {
    if (signal.aborted) throw new SluiceError('cancelled', 'The scoring was stopped on request.');
    let rows = 0;
    for (let t = from; t < Math.min(times, from + chunkTimes); t += 1) {
      stream.push(panel, t);
      if (t < spec.lookbackBars - 1) continue;
      for (let s = 0; s < symbols; s += 1) {
        if (Number.isNaN(panel.close[s * times + t]!)) continue;
        features.set(stream.rows.subarray(s * width, (s + 1) * width), rows * width);
        cells[rows] = s * times + t;
        rows += 1;
      }
    }
    if (rows === 0) continue;
    scorers.forEach((scorer, k) => {
      scorer.score(features.subarray(0, rows * width), rows).forEach((score, row) => {
        grids[k]![cells[row]!] = score;
      });
    });
  }
  return grids;
}

/**
 * Decisions of a window, one for each bar that is there, and how many of them the policy itself scored.
 * @param own [S*T] on the panel's grid, `ownScores` of the policy: NaN also where it fell back on the trees
 */
export function countDecisions(
  panel: BarPanel,
  own: Float64Array,
  window: TimeSpan,
): { readonly decisions: number; readonly scoredByModel: number } {
  const times = panel.openMs.length;
  let decisions = 0;
  let scoredByModel = 0;
  for (let at = 0; at < own.length; at += 1) {
    const openMs = panel.openMs[at % times]!;
    if (openMs < window.from || openMs >= window.to || Number.isNaN(panel.close[at]!)) continue;
    decisions += 1;
    if (!Number.isNaN(own[at]!)) scoredByModel += 1;
  }
  return { decisions, scoredByModel };
}
