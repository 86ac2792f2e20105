// TSMixer on windows of a series, as the paper trains it: RevIN around it, a temporal head, every channel predicted from
// every channel, stopped by the validation windows. Several members from different seeds forecast their mean.

import { silent } from '../../core/index.ts';
import {
  fitTsmixer,
  nativeEngine,
  predictTsmixer,
  type TsmixerTraining,
} from '../../training/tsmixer/index.ts';
import type { Windows } from './series.ts';

/** What was chosen by validation loss, per data set and horizon. */
export interface MixerConfig {
  readonly blocks: number;
  readonly hidden: number;
  readonly dropout: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly batch: number;
  readonly epochs: number;
  readonly patience: number;
  readonly activation: 'relu' | 'gelu';
  readonly loss: TsmixerTraining['loss'];
  readonly schedule: TsmixerTraining['schedule'];
}

/** Trained members. */
export interface Mixer {
  /** per member: best epoch and its validation loss */
  readonly members: readonly { readonly bestEpoch: number; readonly validationLoss: number }[];
  /** [windows*horizon*width] the members' mean forecast of the rows after each window */
  forecast(windowEnds: Int32Array): Promise<Float32Array>;
}

/** @param values [rows*width] standardised  @param seeds one member each */
export async function fitMixer(
  values: Float32Array,
  width: number,
  windows: Windows,
  { lookback, horizon }: { readonly lookback: number; readonly horizon: number },
  config: MixerConfig,
  seeds: readonly number[],
  threads: number,
): Promise<Mixer> {
  const engine = nativeEngine();
  const { train, validation, test } = windows;
  const signal = new AbortController().signal;
  const samples = {
    series: values,
    windowEnds: Int32Array.from([...train, ...validation, ...test]),
    targets: null,
    teacher: null,
    weights: null,
  };
  const count = (from: number, n: number) => Int32Array.from({ length: n }, (_, i) => from + i);
  const fits = await fitTsmixer(engine, {
    training: trainingOf(width, lookback, horizon, config, seeds, threads),
    samples,
    train: count(0, train.length),
    stop: count(train.length, validation.length),
    progress: silent,
    signal,
  });
  return {
    members: fits.map(({ bestEpoch, history }) => ({
      bestEpoch,
      validationLoss: Math.min(...history.map(({ stop }) => stop!)),
    })),
    async forecast(windowEnds) {
      const weights = fits.map((fit) => fit.weights);
      const rows = count(0, windowEnds.length);
      const asked = { series: values, windowEnds };
      const each = await predictTsmixer(engine, weights, asked, rows, { threads, signal });
      return each[0]!.map((_, i) => each.reduce((sum, y) => sum + y[i]!, 0) / each.length);
    },
  };
}

function trainingOf(
  width: number,
  lookback: number,
  horizon: number,
  config: MixerConfig,
  seeds: readonly number[],
  threads: number,
): TsmixerTraining {
  const { blocks, hidden, dropout, learningRate, weightDecay, activation } = config;
  const { batch, loss, epochs, patience, schedule } = config;
  return {
    shape: {
      nTokens: lookback,
      nChannels: width,
      hidden,
      blocks,
      horizon,
      head: 'temporal',
      keptChannels: width,
      activation,
      revin: true,
    },
    members: seeds.map((seed) => ({
      seed,
      learningRate,
      weightDecay,
      dropout,
      teacherLambda: 0,
      clipNorm: 0,
    })),
    batch,
    loss,
    epochs,
    patience,
    schedule,
    warmupFrac: 0,
    threads,
  };
}
