// Every arm goes through the same backtest in the same windows: policies, frozen baseline, ridge, zero.

import type { RunMetrics } from '../../core/index.ts';
import type { Dataset } from '../../data/dataset/index.ts';
import type { BarPanel } from '../../data/market/index.ts';
import { countDecisions, runBacktest, summariseRun } from '../../models/backtest/index.ts';
import type { TradeConfig } from '../../models/trade/index.ts';
import type { Span, Spans } from '../validate/index.ts';
import { rankCorrelation } from './skill.ts';

/** One arm before its backtests. */
export interface Arm {
  readonly policy: string;
  /** [S*T] score on the panel's grid, NaN = no decision */
  readonly grid: Float64Array;
  /** [S*T] NaN where the score is not the policy's own but that of what it falls back on; default: `grid` */
  readonly own?: Float64Array;
}

/** What an arm did in one window. */
export interface ArmRun {
  readonly metrics: RunMetrics;
  /** rank correlation of score and label over the window's rows; null for constant scores */
  readonly rankIc: number | null;
  readonly from: number;
  readonly to: number;
  /** decisions due in the window, and how many of them were scored */
  readonly counts: { readonly decisions: number; readonly scoredByModel: number };
}

/** Both windows of an arm. */
export type ArmRuns = Readonly<Record<'validation' | 'forward_oos', ArmRun>>;

/** Scores of the dataset's rows, read off the grid. [S*T] -> [n] */
export function scoresOfRows(dataset: Dataset, grid: Float64Array, rows: Int32Array): Float64Array {
  return Float64Array.from(rows, (row) => grid[cellOf(dataset, row)]!);
}

/** Where a row stands on the grid. */
export function cellOf(dataset: Dataset, row: number): number {
  return dataset.symbolIndex[row]! * dataset.panel.openMs.length + dataset.timeIndex[row]!;
}

/** Runs an arm through validation and forward OOS. */
export function runArm(dataset: Dataset, arm: Arm, spans: Spans, trade: TradeConfig): ArmRuns {
  return {
    validation: runWindow(dataset, arm, spans.validation, trade),
    forward_oos: runWindow(dataset, arm, spans.forward_oos, trade),
  };
}

/** Runs an arm through one span. */
export function runWindow(dataset: Dataset, arm: Arm, span: Span, trade: TradeConfig): ArmRun {
  const { panel } = dataset;
  const { from, to } = decisionsOf(panel, span);
  const result = runBacktest({ panel, scores: arm.grid, fromMs: from, toMs: to, trade });
  return {
    metrics: summariseRun(result, panel.timeframeMs),
    rankIc: rankIcOf(dataset, arm, span),
    from,
    to,
    counts: countDecisions(panel, arm.own ?? arm.grid, { from, to }),
  };
}

/** Mean of the daily returns after cost: what arms are compared by. */
export function meanDailyReturn({ daily }: RunMetrics): number {
  return daily.returns.reduce((sum, value) => sum + value, 0) / daily.returns.length;
}

/** A span covers label intervals; the bar that decides opens one bar before its label starts. */
export function decisionsOf({ timeframeMs }: BarPanel, span: Span): { from: number; to: number } {
  return { from: span.from - timeframeMs, to: span.to };
}

/** Over the rows that have a score. */
function rankIcOf(dataset: Dataset, { grid }: Arm, { rows }: Span): number | null {
  const scored = rows.filter((row) => !Number.isNaN(grid[cellOf(dataset, row)]!));
  const own = scoresOfRows(dataset, grid, scored);
  if (own.every((score) => score === own[0])) return null;
  return rankCorrelation(
    own,
    Float32Array.from(scored, (row) => dataset.labels[row]!),
  );
}
