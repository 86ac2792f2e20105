// Trains networks on rows of the dataset: several at a time, with a stopping slice or for a fixed number of epochs.

import type { Progress } from '../../core/index.ts';
import type { Dataset, SequenceView } from '../../data/dataset/index.ts';
import { scoreSequences } from '../../models/backtest/index.ts';
import { normaliseSeries, sequenceScorer, type TsmixerNetwork } from '../../models/score/index.ts';
import {
  type CheckpointPlace,
  fitTsmixer,
  predictTsmixer,
  type SequenceSamples,
  type TsmixerEngine,
  type TsmixerEpoch,
  type TsmixerMember,
  tsmixerTraining,
} from '../tsmixer/index.ts';
import type { Span } from '../validate/index.ts';
import { decisionsOf } from './arms.ts';
import type { NeuralConfig } from './config.ts';
import { type Channels, fitChannels, rowsWithWindow } from './sequences.ts';

/** What every training of networks needs. */
export interface NetworkContext {
  readonly engine: TsmixerEngine;
  readonly config: NeuralConfig;
  readonly dataset: Dataset;
  readonly view: SequenceView;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What tells networks of one training apart; what is absent is as the config says. */
export type NetworkMember = Pick<TsmixerMember, 'seed' | 'teacherLambda'> & Partial<TsmixerMember>;

/** Networks of one shape that learn from the same rows. */
export interface NetworkRequest {
  /** rows that train; those without a valid window are left out */
  readonly train: Int32Array;
  /** rows that decide when to stop; empty: every epoch is made */
  readonly stop: Int32Array;
  /** [n] prediction of trees that did not see the row; null = no teacher */
  readonly teacher: Float64Array | null;
  readonly members: readonly NetworkMember[];
  readonly epochs: number;
  /** file in which the training keeps itself, and goes on from; absent = nowhere */
  readonly checkpoint?: string | undefined;
}

/** A trained network and how it got there. */
export interface TrainedNetwork {
  readonly network: TsmixerNetwork;
  readonly bestEpoch: number;
  readonly history: readonly TsmixerEpoch[];
}

/** Trains the members side by side. Nothing but the rows named is handed to the engine. */
export async function trainNetworks(
  context: NetworkContext,
  request: NetworkRequest,
): Promise<TrainedNetwork[]> {
  const { engine, config, dataset, view, progress, signal } = context;
  const train = rowsWithWindow(view, request.train);
  const stop = rowsWithWindow(view, request.stop);
  const channels = fitChannels(view, train, config.clip);
  const rows = Int32Array.from([...train, ...stop]);
  const { teacher } = request;
  const samples: SequenceSamples = {
    series: normaliseSeries(view.series, channels),
    windowEnds: rows.map((row) => view.windowEnds[row]!),
    targets: Float32Array.from(rows, (row) => dataset.labels[row]!),
    teacher: teacher === null ? null : Float32Array.from(rows, (row) => teacher[row]!),
    weights: null,
  };
  const fits = await fitTsmixer(engine, {
    training: trainingOf(config, request),
    samples,
    train: train.map((_, i) => i),
    stop: stop.map((_, i) => train.length + i),
    progress,
    signal,
    ...(request.checkpoint === undefined
      ? {}
      : { checkpoint: placeOf(request.checkpoint, channels) }),
  });
  return fits.map(({ weights, bestEpoch, history }) => ({
    network: { weights, channels },
    bestEpoch,
    history,
  }));
}

/** While it trains, a network stands alone and has no report. */
const placeOf = (path: string, normalization: Channels): CheckpointPlace => ({
  path,
  normalization,
  ensembleAlpha: null,
  trainReportHash: null,
});

/**
 * The engine's own float32 predictions of rows with a valid window.
 * @param networks with one normalisation, as those of one {@link trainNetworks} have
 * @returns per network [rows]
 */
export async function predictRows(
  { engine, config, view, signal }: NetworkContext,
  networks: readonly TsmixerNetwork[],
  rows: Int32Array,
): Promise<Float32Array[]> {
  const samples = {
    series: normaliseSeries(view.series, networks[0]!.channels),
    windowEnds: rows.map((row) => view.windowEnds[row]!),
  };
  return predictTsmixer(
    engine,
    networks.map(({ weights }) => weights),
    samples,
    rows.map((_, i) => i),
    { threads: config.threads, signal },
  );
}

/**
 * What the stored form of a network says of the bars at which spans are decided: the scores of record.
 * @param spans in their order; bars from the first to the last are scored
 * @returns [S*T] NaN = no whole window
 */
export function networkGrid(
  { featureSpec, panel }: Dataset,
  network: TsmixerNetwork,
  spans: readonly Span[],
  signal: AbortSignal,
): Float64Array {
  const { from } = decisionsOf(panel, spans[0]!);
  const { to } = decisionsOf(panel, spans.at(-1)!);
  const names = network.channels.map(({ name }) => name);
  return scoreSequences(featureSpec, names, sequenceScorer(network), panel, { from, to }, signal);
}

/** One number per window, the label's expectation; a fixed number of epochs where nothing decides when to stop. */
function trainingOf(config: NeuralConfig, { stop, members, epochs }: NetworkRequest) {
  const patience = stop.length === 0 ? 0 : config.patience;
  return tsmixerTraining({ ...config, epochs, patience }, config.channels.length, members);
}
