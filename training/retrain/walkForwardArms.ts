// Every arm on the walk-forward folds of the search span: each fold's models are fitted on its own training rows, and the
// test blocks are joined to one record. It is reported and never judged: lambda, alpha and the number of epochs, which
// later data have chosen, are taken as they are.

import { blendPolicy, silent } from '../../core/index.ts';
import type { Fold } from '../validate/index.ts';
import { type Arm, type ArmRun, cellOf, runWindow } from './arms.ts';
import type { RetrainConfig } from './config.ts';
import { policyArm } from './ensemble.ts';
import { type CrossValidation, type FitContext, fitFinal, fitRidgeOn, rowsOf } from './fit.ts';
import { predictRows, trainNetworks } from './network.ts';
import type { NeuralStage, TeacherFor } from './neuralStage.ts';
import { rowsWithWindow } from './sequences.ts';

/** What the arms are made of. */
export interface WalkForwardRequest {
  readonly config: RetrainConfig;
  readonly context: FitContext;
  readonly folds: CrossValidation['walkForward'];
  readonly neural: NeuralStage | null;
  readonly alpha: number;
  readonly teacherFor: TeacherFor;
}

/** Runs each arm over the joined test blocks, by policy. */
export async function walkForwardArms(
  request: WalkForwardRequest,
): Promise<ReadonlyMap<string, ArmRun>> {
  const { config, context, folds, neural, alpha } = request;
  const { dataset } = context.samples;
  const grid = () => new Float64Array(dataset.panel.close.length).fill(Number.NaN);
  const grids = { tabular: grid(), nn: grid(), baseline: grid(), ridge: grid(), zero: grid() };
  for (const [i, { fold, predictions }] of folds.entries()) {
    context.progress.update(`fold ${i + 1}/${folds.length}`, i / folds.length);
    const put = (to: Float64Array, rows: Int32Array, scores: ArrayLike<number>) =>
      rows.forEach((row, k) => {
        to[cellOf(dataset, row)] = scores[k]!;
      });
    const { train, test } = fold;
    put(grids.tabular, test, predictions);
    put(grids.zero, test, new Float64Array(test.length));
    put(grids.baseline, test, await baselineScores(request, fold));
    const ridge = fitRidgeOn(context.samples, train, config);
    put(grids.ridge, test, ridge.score(rowsOf(dataset, test).features, test.length));
    if (neural === null) continue;
    const windows = rowsWithWindow(neural.context.view, test);
    put(grids.nn, windows, await networkScores(request, neural, train, windows));
  }
  const arms: Arm[] = [
    { policy: 'tabular_only', grid: grids.tabular },
    ...(neural === null ? [] : [policyArm('nn_only', grids), policyArm(blendPolicy(alpha), grids)]),
    { policy: 'frozen_baseline', grid: grids.baseline },
    { policy: 'ridge', grid: grids.ridge },
    { policy: 'zero', grid: grids.zero },
  ];
  const span = joinedSpan(folds.map(({ fold }) => fold));
  return new Map(
    arms.map((arm) => [arm.policy, runWindow(dataset, arm, span, config.trade)] as const),
  );
}

/** The chosen lambda and epochs, the first seed, on the training rows of a fold; its teacher has seen no other row. */
async function networkScores(
  { teacherFor }: WalkForwardRequest,
  { context: own, lambda, epochs }: NeuralStage,
  train: Int32Array,
  test: Int32Array,
): Promise<Float32Array> {
  const [trained] = await trainNetworks(
    { ...own, progress: silent },
    {
      train,
      stop: new Int32Array(0),
      teacher: lambda === 0 ? null : await teacherFor(train),
      members: [{ seed: own.config.seed, teacherLambda: lambda }],
      epochs,
    },
  );
  const [scores] = await predictRows(own, [trained!.network], test);
  return scores!;
}

/** The recipe of the frozen baseline, fitted inside the fold: the frozen one itself has seen these days. */
async function baselineScores(
  { config, context }: WalkForwardRequest,
  { train, test }: Fold,
): Promise<Float64Array> {
  const { dataset, baselineDataset } = context.samples;
  const rowAt = new Map<number, number>();
  for (let row = 0; row < baselineDataset.rows; row += 1) {
    rowAt.set(cellOf(baselineDataset, row), row);
  }
  const sameBars = (rows: Int32Array) => rows.map((row) => rowAt.get(cellOf(dataset, row))!);
  const model = await fitFinal(
    { ...context, progress: silent },
    baselineDataset,
    sameBars(train),
    config.baseline,
    config.baseline.rounds,
  );
  try {
    return model.predict(rowsOf(baselineDataset, sameBars(test)).features, test.length);
  } finally {
    model.close();
  }
}

function joinedSpan(folds: readonly Fold[]) {
  const blocks = folds.flatMap(({ testBlocks }) => testBlocks);
  const rows = folds.flatMap(({ test }) => [...test]);
  return {
    from: Math.min(...blocks.map(({ from }) => from)),
    to: Math.max(...blocks.map(({ to }) => to)),
    rows: Int32Array.from(rows),
  };
}
