// What a trial of a search comes to, whatever was fitted: the test folds of a walk-forward joined to one run, and the two
// windows of forward confirmation. Nothing is signed, recorded or registered here.

import type { DataRegime, RunMetrics } from '../../core/index.ts';
import type { Dataset } from '../../data/dataset/index.ts';
import { dataRegime, sourcesOf, type TimeSpan } from '../../models/backtest/index.ts';
import type { TradeConfig } from '../../models/trade/index.ts';
import type { LightgbmLibrary } from '../native/index.ts';
import type { Fold } from '../validate/index.ts';
import { type Arm, type ArmRun, cellOf, runArm, runWindow } from './arms.ts';
import type { RetrainConfig } from './config.ts';
import { fittedSpan } from './runRecords.ts';
import { type Samples, windowsOf } from './samples.ts';

/** What fitting a trial takes beside its samples. */
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

const trialRun = ({ metrics, from, to }: ArmRun): TrialRun => ({ metrics, span: { from, to } });

/** Joins test folds. */
export interface JoinedFolds {
  /**
   * Adds a fold, the next in time.
   * @param rows that have a score; of others there is no decision
   * @returns all folds so far, as one run
   */
  add(fold: Fold, rows: Int32Array, scores: ArrayLike<number>): TrialRun;
}

/** Joins the test folds of a walk-forward as they come. */
export function joinFolds(
  dataset: Dataset,
  policy: Arm['policy'],
  trade: TradeConfig,
): JoinedFolds {
  const grid = new Float64Array(dataset.panel.close.length).fill(Number.NaN);
  const tested: number[] = [];
  let from: number | null = null;
  return {
    add({ test, testBlocks }, rows, scores) {
      rows.forEach((row, i) => {
        grid[cellOf(dataset, row)] = scores[i]!;
      });
      for (const row of test) tested.push(row);
      from ??= testBlocks[0]!.from;
      const span = { from, to: testBlocks.at(-1)!.to, rows: Int32Array.from(tested) };
      return trialRun(runWindow(dataset, { policy, grid }, span, trade));
    },
  };
}

/** What forward confirmation found. */
export interface Confirmation {
  /** how long the model was fitted */
  readonly fitted: { readonly rounds: number } | { readonly epochs: number };
  readonly validation: TrialRun;
  readonly forwardOos: TrialRun;
  /** of forward OOS: how its bars relate to what was fitted, and whether a real venue made them */
  readonly dataRegime: DataRegime;
}

/** Runs an arm through validation and forward OOS. */
export function confirmationOf(
  samples: Samples,
  arm: Arm,
  trade: TradeConfig,
  fitted: Confirmation['fitted'],
): Confirmation {
  const { dataset, spans } = samples;
  const runs = runArm(dataset, arm, spans, trade);
  const { from, to } = runs.forward_oos;
  const evaluation = { from, to };
  return {
    fitted,
    validation: trialRun(runs.validation),
    forwardOos: trialRun(runs.forward_oos),
    dataRegime: dataRegime({
      sources: sourcesOf(dataset.panel, evaluation),
      evaluation,
      fitted: fittedSpan(windowsOf(samples)),
    }),
  };
}
