// The network of a run: how much it listens to its teacher is chosen on validation, how long it trains on a purged
// slice of the search span, and the network itself is then trained on the whole search span.

import { join } from 'node:path';
import type { Progress } from '../../core/index.ts';
import { createSequenceView, type Dataset } from '../../data/dataset/index.ts';
import type { TsmixerNetwork } from '../../models/score/index.ts';
import type { DistillationReport, LambdaCandidate, NeuralReport } from '../report/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import type { NeuralConfig } from './config.ts';
import { engineReport } from './engine.ts';
import { bestRounds, type FitContext, splitForStopping } from './fit.ts';
import { type NetworkContext, predictRows, type TrainedNetwork, trainNetworks } from './network.ts';
import { rowsWithWindow } from './sequences.ts';
import { r2AgainstZero, rankCorrelation } from './skill.ts';

/** Where teachers come from: rows in, [n] predictions of trees that did not see them out. */
export type TeacherFor = (rows: Int32Array) => Promise<Float64Array>;

/** What the stage needs besides the rows. */
export interface NeuralRequest extends Pick<FitContext, 'samples' | 'folds' | 'signal'> {
  readonly engine: TsmixerEngine;
  readonly config: NeuralConfig;
  readonly teacherFor: TeacherFor;
  /** folder in which both trainings keep themselves, and go on from; absent = nowhere */
  readonly checkpoints?: string | undefined;
  readonly progress: Progress;
}

/** The network of a run and how it was chosen. */
export interface NeuralStage {
  readonly context: NetworkContext;
  readonly network: TsmixerNetwork;
  readonly lambda: number;
  readonly epochs: number;
  readonly report: NeuralReport;
}

/**
 * Chooses lambda and the number of epochs, and trains the network on the search span.
 *
 * Lambda is the one with the least validation loss, averaged over the seeds: a loss looks at every row, while a net
 * return hangs on few trades and would mostly compare luck. The network is that of the first seed, whatever the others
 * reached.
 */
export async function runNeuralStage(request: NeuralRequest): Promise<NeuralStage> {
  const { config, samples, teacherFor, progress } = request;
  const search = samples.spans.search.rows;
  const context = networkContext(request, samples.dataset);
  const candidates = await trainCandidates(request, context);
  const chosen = candidates.reduce((best, one) =>
    one.validation_loss < best.validation_loss ? one : best,
  );
  const teacher = chosen.lambda === 0 ? null : await teacherFor(search);
  const [final] = await trainNetworks(
    { ...context, progress: partOf(progress, 'final fit', 0.7, 1) },
    {
      train: search,
      stop: new Int32Array(0),
      teacher,
      members: [{ seed: config.seed, teacherLambda: chosen.lambda }],
      epochs: chosen.epochs,
      checkpoint: checkpointOf(request, 'network'),
    },
  );
  const { network } = final!;
  return {
    context,
    network,
    lambda: chosen.lambda,
    epochs: chosen.epochs,
    report: {
      engine: engineReport(request.engine),
      channels: network.channels,
      shape: network.weights.shape,
      train_rows: rowsWithWindow(context.view, search).length,
      lambda: chosen.lambda,
      epochs: chosen.epochs,
      lambda_candidates: candidates,
      distillation: compareDistillation(candidates),
    },
  };
}

function networkContext(request: NeuralRequest, dataset: Dataset): NetworkContext {
  const { engine, config, progress, signal } = request;
  const view = createSequenceView(dataset, config.channels, config.n_tokens);
  return { engine, config, dataset, view, progress, signal };
}

const checkpointOf = ({ checkpoints }: NeuralRequest, name: string): string | undefined =>
  checkpoints && join(checkpoints, `${name}.checkpoint`);

/** One member for each lambda and seed, in one training, stopped by the latest part of the search span. */
async function trainCandidates(
  request: NeuralRequest,
  context: NetworkContext,
): Promise<LambdaCandidate[]> {
  const { config, samples, folds, teacherFor, progress } = request;
  progress.update('teacher', 0);
  const { fit, stop } = splitForStopping({ samples, folds }, samples.spans.search.rows);
  const lambdas = config.teacher_lambdas;
  const members = lambdas.flatMap((lambda) =>
    Array.from({ length: config.seeds }, (_, i) => ({
      seed: config.seed + i,
      teacherLambda: lambda,
    })),
  );
  const taught = lambdas.some((lambda) => lambda > 0);
  const trained = await trainNetworks(
    { ...context, progress: partOf(progress, 'candidates', 0.05, 0.7) },
    {
      train: fit,
      stop,
      teacher: taught ? await teacherFor(fit) : null,
      members,
      epochs: config.epochs,
      checkpoint: checkpointOf(request, 'candidates'),
    },
  );
  const judged = await judgeNetworks(context, trained, samples.spans.validation.rows);
  return lambdas.map((lambda, k) => {
    const runs = judged
      .slice(k * config.seeds, (k + 1) * config.seeds)
      .map((run, i) => ({ seed: members[i]!.seed, ...run }));
    const losses = runs.map(({ curve }) => Float64Array.from(curve, ({ stop }) => stop!));
    return {
      lambda,
      validation_loss: runs.reduce((sum, run) => sum + run.validation_loss, 0) / runs.length,
      rank_ic: runs.reduce((sum, run) => sum + run.rank_ic, 0) / runs.length,
      epochs: bestRounds(losses),
      seeds: runs,
    };
  });
}

/** Loss and rank correlation on the validation rows; the loss is relative to that of predicting zero. */
async function judgeNetworks(
  context: NetworkContext,
  trained: readonly TrainedNetwork[],
  validation: Int32Array,
) {
  const rows = rowsWithWindow(context.view, validation);
  const labels = Float32Array.from(rows, (row) => context.dataset.labels[row]!);
  const networks = trained.map(({ network }) => network);
  const predictions = await predictRows(context, networks, rows);
  return trained.map(({ bestEpoch, history }, k) => ({
    validation_loss: 1 - r2AgainstZero(predictions[k]!, labels),
    rank_ic: rankCorrelation(predictions[k]!, labels),
    best_epoch: bestEpoch,
    curve: history,
  }));
}

/** With a teacher less without one, seed by seed; null where not both were tried. */
export function compareDistillation(
  candidates: readonly LambdaCandidate[],
): DistillationReport | null {
  const without = candidates.find(({ lambda }) => lambda === 0);
  const taught = candidates.filter(({ lambda }) => lambda > 0);
  if (without === undefined || taught.length === 0) return null;
  const best = taught.reduce((a, b) => (b.validation_loss < a.validation_loss ? b : a));
  const difference = (of: (run: LambdaCandidate['seeds'][number]) => number) => {
    const values = best.seeds.map((run, i) => of(run) - of(without.seeds[i]!));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { mean, least: Math.min(...values), largest: Math.max(...values) };
  };
  return {
    lambda: best.lambda,
    seeds: best.seeds.length,
    validation_loss: difference((run) => run.validation_loss),
    rank_ic: difference((run) => run.rank_ic),
  };
}

/** A named part of a progress, from one share to another. */
const partOf = (whole: Progress, name: string, from: number, to: number): Progress => ({
  update: (_stage, doneFrac, note) => whole.update(name, from + (to - from) * doneFrac, note),
});
