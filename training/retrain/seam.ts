// Stands in until models/backtest has them.
import type { Policy } from '../../core/index.ts';
import { createFeatureStream, type FeatureSpec } from '../../data/feature/index.ts';
import type { BarPanel } from '../../data/market/index.ts';
import type { TimeSpan } from '../../models/backtest/index.ts';
import type { SequenceScorer } from '../../models/score/index.ts';

export function policyScores(
  policy: Policy,
  tabular: Float64Array | null,
  nn: Float64Array | null,
): Float64Array {
  if (policy === 'tabular_only') return tabular!;
  if (policy === 'nn_only') return nn!;
  const alpha = Number(policy.slice('blend_alpha_'.length));
  return tabular!.map((x, i) => (Number.isNaN(nn![i]!) ? x : alpha * x + (1 - alpha) * nn![i]!));
}

export function scoreSequences(
  spec: FeatureSpec,
  channels: readonly string[],
  scorer: SequenceScorer,
  panel: BarPanel,
  window: TimeSpan | null,
  _signal: AbortSignal,
): Float64Array {
  const entries = channels.map((name) => spec.entries.find((entry) => entry.name === name)!);
  const own = { ...spec, entries };
  const [S, T, C, L] = [panel.symbols.length, panel.openMs.length, channels.length, scorer.nTokens];
  const stream = createFeatureStream(own, S, panel.timeframeMs);
  const series = new Float32Array(S * T * C);
  for (let t = 0; t < T; t += 1) {
    stream.push(panel, t);
    for (let s = 0; s < S; s += 1)
      series.set(stream.rows.subarray(s * C, (s + 1) * C), (s * T + t) * C);
  }
  const grid = new Float64Array(S * T).fill(Number.NaN);
  for (let at = 0; at < S * T; at += 1) {
    const t = at % T;
    if (t < spec.lookbackBars + L - 2 || Number.isNaN(panel.close[at]!)) continue;
    const ms = panel.openMs[t]!;
    if (window !== null && (ms < window.from || ms >= window.to)) continue;
    grid[at] = scorer.score(series.slice((at - L + 1) * C, (at + 1) * C), 1)[0]!;
  }
  return grid;
}
