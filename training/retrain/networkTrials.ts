// Networks on trial, several at a time: those that differ in nothing but what members of one training may have of their own
// are trained as one batch. What is found of one does not depend on which others are trained with it.

import { canonicalJson, SluiceError, silent } from '../../core/index.ts';
import { createSequenceView, type SequenceView } from '../../data/dataset/index.ts';
import type { TsmixerEngine } from '../tsmixer/index.ts';
import type { Fold } from '../validate/index.ts';
import type { NeuralConfig, RetrainConfig } from './config.ts';
import { type FoldContext, splitForStopping } from './fit.ts';
import {
  type NetworkContext,
  type NetworkMember,
  type NetworkRequest,
  networkGrid,
  predictRows,
  type TrainedNetwork,
  trainNetworks,
} from './network.ts';
import { runNeuralStage } from './neuralStage.ts';
import type { Samples } from './samples.ts';
import { rowsWithWindow } from './sequences.ts';
import { teacherFor } from './teacher.ts';
import {
  type Confirmation,
  confirmationOf,
  type JoinedFolds,
  joinFolds,
  type TrialFits,
  type TrialRun,
} from './trialRun.ts';
import { type WindowSamples, windowFolds } from './trialSamples.ts';

/** A config with a network. */
export type NetworkConfig = RetrainConfig & { readonly tsmixer: NeuralConfig };

/** What fitting networks takes beside their samples. */
export interface NetworkFits extends Omit<TrialFits, 'config'> {
  readonly engine: TsmixerEngine;
}

/** The walk-forward folds of a window, cut once for all trials. */
export interface NetworkWindow {
  readonly samples: WindowSamples;
  readonly folds: readonly WindowFold[];
}

interface WindowFold {
  readonly fold: Fold;
  readonly fit: Int32Array;
  readonly stop: Int32Array;
  /** predictions of trees that did not see the row, for `fit`; made when it is first asked for */
  readonly teacher: () => Promise<Float64Array>;
}

/**
 * Cuts the folds of a window.
 * @param config of the teacher's trees and of the share that decides when to stop: both the same for all trials
 */
export function networkWindow(
  { config, library, signal }: TrialFits,
  samples: WindowSamples,
  folds: number,
): NetworkWindow {
  const context: FoldContext = { library, samples, folds: config.folds, progress: silent, signal };
  return {
    samples,
    folds: windowFolds(samples, folds).map((fold) => {
      const { fit, stop } = splitForStopping(context, fold.train);
      let made: Promise<Float64Array> | null = null;
      const teacher = () => {
        made ??= teacherFor(context, fit, config.gbdt);
        return made;
      };
      return { fold, fit, stop, teacher };
    }),
  };
}

/** Where a trial stands after a fold: the run of all test folds so far, or why there is none and never will be. */
export type NetworkFold =
  | { readonly kind: 'run'; readonly run: TrialRun }
  | { readonly kind: 'failed'; readonly error: SluiceError };

/**
 * Walk-forward inside a window, of several trials side by side: in each fold their networks are trained on what came
 * before it, stopped by its latest part, and tested. Bars without a whole window of the network have no decision.
 * @param trials configs with one lambda each; their first seed is the network
 * @param isWanted asked before each fold: whether a trial goes on
 * @returns after each fold where each trial stands; null for those that have ended before it
 */
export async function* walkForwardNetworks(
  fits: NetworkFits,
  window: NetworkWindow,
  trials: readonly NetworkConfig[],
  isWanted: (trial: number) => boolean = () => true,
): AsyncGenerator<readonly (NetworkFold | null)[]> {
  const { dataset } = window.samples;
  const viewOf = viewsOf(window.samples);
  const joined = trials.map(({ trade }) => joinFolds(dataset, 'nn_only', trade));
  const failed = new Set<number>();
  for (const fold of window.folds) {
    const found: (NetworkFold | null)[] = trials.map(() => null);
    const active = trials.map((_, k) => k).filter((k) => isWanted(k) && !failed.has(k));
    for (const group of groupsOf(trials, active)) {
      const config = trials[group[0]!]!.tsmixer;
      const { engine, signal } = fits;
      const context = { engine, config, dataset, view: viewOf(config), progress: silent, signal };
      const trained = await trainGroup(
        context,
        fold,
        group.map((k) => memberOf(trials[k]!)),
      );
      for (const [i, k] of group.entries()) {
        const one = trained[i]!;
        found[k] =
          one instanceof SluiceError
            ? { kind: 'failed', error: one }
            : { kind: 'run', run: await testOn(context, fold, one, joined[k]!) };
        if (one instanceof SluiceError) failed.add(k);
      }
    }
    yield found;
  }
}

/** Views are large; trials with as many tokens share one. */
function viewsOf({ dataset }: WindowSamples): (config: NeuralConfig) => SequenceView {
  const views = new Map<string, SequenceView>();
  return ({ channels, n_tokens }) => {
    const key = canonicalJson({ channels, n_tokens });
    const view = views.get(key) ?? createSequenceView(dataset, channels, n_tokens);
    views.set(key, view);
    return view;
  };
}

/** Trials that can be trained together, as lists of their places. */
function groupsOf(
  trials: readonly NetworkConfig[],
  places: readonly number[],
): readonly (readonly number[])[] {
  return [...Map.groupBy(places, (k) => canonicalJson(sharedPart(trials[k]!.tsmixer))).values()];
}

/** What members of one training must have in common: all but what {@link memberOf} takes. */
function sharedPart(config: NeuralConfig): unknown {
  const {
    learning_rate: _l,
    weight_decay: _w,
    dropout: _d,
    clip_norm: _c,
    teacher_lambdas: _t,
    ...shared
  } = config;
  return shared;
}

const memberOf = ({ tsmixer }: NetworkConfig): NetworkMember => ({
  seed: tsmixer.seed,
  teacherLambda: tsmixer.teacher_lambdas[0]!,
  learningRate: tsmixer.learning_rate,
  weightDecay: tsmixer.weight_decay,
  dropout: tsmixer.dropout,
  clipNorm: tsmixer.clip_norm,
});

async function trainGroup(
  context: NetworkContext,
  { fit, stop, teacher }: WindowFold,
  members: readonly NetworkMember[],
): Promise<readonly (TrainedNetwork | SluiceError)[]> {
  const taught = members.some(({ teacherLambda }) => teacherLambda > 0);
  const { epochs } = context.config;
  return trainEach(context, {
    ...{ train: fit, stop, members, epochs },
    teacher: taught ? await teacher() : null,
  });
}

/** A member that fails ends the training of all; alone, it fails for itself and the others come out as they would have. */
async function trainEach(
  context: NetworkContext,
  request: NetworkRequest,
): Promise<readonly (TrainedNetwork | SluiceError)[]> {
  const { members } = request;
  try {
    return await trainNetworks(context, request);
  } catch (error) {
    if (!(error instanceof SluiceError) || context.signal.aborted) throw error;
    if (members.length === 1) return [error];
    const alone = [];
    for (const member of members) {
      alone.push(...(await trainEach(context, { ...request, members: [member] })));
    }
    return alone;
  }
}

async function testOn(
  context: NetworkContext,
  { fold }: WindowFold,
  { network }: TrainedNetwork,
  joined: JoinedFolds,
): Promise<TrialRun> {
  const rows = rowsWithWindow(context.view, fold.test);
  const [scores] = await predictRows(context, [network], rows);
  return joined.add(fold, rows, scores!);
}

/** The network of the main job: epochs from its candidates, one fit on the search span, then validation and forward OOS. */
export async function confirmNetwork(
  { library, engine, signal }: NetworkFits,
  config: NetworkConfig,
  samples: Samples,
): Promise<Confirmation> {
  const { dataset, spans } = samples;
  const { folds } = config;
  const context: FoldContext = { library, samples, folds, progress: silent, signal };
  const { network, epochs } = await runNeuralStage({
    ...{ engine, samples, folds, signal, config: config.tsmixer, progress: silent },
    teacherFor: (rows) => teacherFor(context, rows, config.gbdt),
  });
  const grid = networkGrid(dataset, network, [spans.validation, spans.forward_oos], signal);
  return confirmationOf(samples, { policy: 'nn_only', grid }, config.trade, { epochs });
}
