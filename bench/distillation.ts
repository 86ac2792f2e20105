// Does the teacher help? Networks of one config on real bars, several seeds: alone, taught by the trees' out-of-fold
// predictions, and taught nothing, by a teacher that always predicts zero, since any teacher pulls a network towards
// small predictions. Paired differences on validation (loss, rank IC, mean daily net return), with intervals over the
// seeds (Student's t) and, for the return, over the days (stationary bootstrap of the mean over the seeds). Forward OOS
// is not looked at.
// usage: node bench/distillation.ts --data ../shared/data [--seeds 5] [--lambdas 0.5,2] [--config F]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom, silent } from '../core/index.ts';
import { createSequenceView } from '../data/dataset/index.ts';
import { stationaryBootstrap } from '../models/evaluate/index.ts';
import { findLightgbm } from '../training/native/index.ts';
import { cellOf, meanDailyReturn, runWindow } from '../training/retrain/arms.ts';
import { splitForStopping } from '../training/retrain/fit.ts';
import { readRetrainConfig } from '../training/retrain/index.ts';
import { obtainMarket } from '../training/retrain/market.ts';
import { predictRows, trainNetworks } from '../training/retrain/network.ts';
import { prepareSamples } from '../training/retrain/samples.ts';
import { rowsWithWindow } from '../training/retrain/sequences.ts';
import { r2AgainstZero, rankCorrelation } from '../training/retrain/skill.ts';
import { teacherFor } from '../training/retrain/teacher.ts';
import { findEngine } from '../training/tsmixer/index.ts';
import { report } from './harness.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    seeds: { type: 'string', default: '5' },
    lambdas: { type: 'string', default: '0.5,2' },
    config: { type: 'string', default: 'configs/default.json' },
    engine: { type: 'string', default: 'native' },
  },
});
const seedCount = Number(values.seeds);
if (!(seedCount >= 2 && seedCount <= 10)) throw new Error('give 2 to 10 seeds');
const lambdas = [0, ...values.lambdas.split(',').map(Number)];
const begin = process.hrtime.bigint();
const signal = new AbortController().signal;

const folder = mkdtempSync(join(tmpdir(), 'sluice-distillation-'));
const config = readRetrainConfig(values.config);
const network = config.tsmixer;
if (network === null) throw new Error(`${values.config} has no tsmixer section`);
const market = await obtainMarket({
  config,
  dataFolder: values.data ?? null,
  store: folder,
  progress: silent,
  signal,
});
rmSync(folder, { recursive: true });
const samples = prepareSamples(config, market.panel, signal);
const { dataset, spans } = samples;
const view = createSequenceView(dataset, network.channels, network.n_tokens);
const engine = findEngine(values.engine === 'tfjs' ? 'tfjs' : 'native');
const context = { engine, config: network, dataset, view, progress: silent, signal };
const { fit, stop } = splitForStopping({ samples, folds: config.folds }, spans.search.rows);
const fitting = { samples, folds: config.folds, library: findLightgbm(), progress: silent, signal };
const teacher = await teacherFor(fitting, fit, config.gbdt);
const seeds = Array.from({ length: seedCount }, (_, i) => network.seed + i);
const taughtBy = async (by: Float64Array, some: readonly number[]) => {
  const members = some.flatMap((lambda) => seeds.map((seed) => ({ seed, teacherLambda: lambda })));
  const { epochs } = network;
  const fits = await trainNetworks(context, { train: fit, stop, teacher: by, members, epochs });
  return fits.map((one, k) => {
    const { seed, teacherLambda: lambda } = members[k]!;
    return { ...one, seed, lambda };
  });
};
const nothing = teacher.map((prediction) => (Number.isNaN(prediction) ? prediction : 0));
const trained = [
  ...(await taughtBy(teacher, lambdas)).map((one) => ({ ...one, by: 'trees' as const })),
  ...(await taughtBy(nothing, lambdas.slice(1))).map((one) => ({ ...one, by: 'nothing' as const })),
];

const rows = rowsWithWindow(view, spans.validation.rows);
const labels = Float32Array.from(rows, (row) => dataset.labels[row]!);
const predictions = await predictRows(
  context,
  trained.map((one) => one.network),
  rows,
);

/** What one network does on validation. */
function resultOf({ bestEpoch, seed, lambda, by }: (typeof trained)[number], k: number) {
  const scores = predictions[k]!;
  const grid = new Float64Array(dataset.panel.close.length).fill(Number.NaN);
  rows.forEach((row, i) => {
    grid[cellOf(dataset, row)] = scores[i]!;
  });
  const { metrics } = runWindow(
    dataset,
    { policy: 'nn_only', grid },
    spans.validation,
    config.trade,
  );
  return {
    seed,
    lambda,
    by: lambda === 0 ? null : by,
    best_epoch: bestEpoch,
    validation_loss: 1 - r2AgainstZero(scores, labels),
    rank_ic: rankCorrelation(scores, labels),
    net_return_per_day: meanDailyReturn(metrics),
    daily: metrics.daily.returns,
  };
}

const runs = trained.map(resultOf);
type Run = (typeof runs)[number];
const runsOf = (lambda: number, by: Run['by']): Run[] =>
  runs.filter((run) => run.lambda === lambda && run.by === by);

/** 97.5 % points of Student's t with 1 to 9 degrees of freedom. */
const student = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Mean of paired differences over the seeds with its 95 % interval. */
function overSeeds(differences: readonly number[]) {
  const n = differences.length;
  const mean = differences.reduce((sum, x) => sum + x, 0) / n;
  const variance = differences.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
  const half = student[n - 2]! * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
}

/** Interval over the days of the difference in daily return, averaged over the seeds. */
function overDays(taught: readonly Run[], alone: readonly Run[]) {
  const days = taught[0]!.daily.map((_, day) =>
    taught.reduce((sum, run, i) => sum + run.daily[day]! - alone[i]!.daily[day]!, 0),
  );
  const mean = Float64Array.from(days, (sum) => sum / taught.length);
  return stationaryBootstrap(mean, { random: createRandom(1), resamples: 4000 });
}

const differenceOf = (taught: readonly Run[], other: readonly Run[]) => {
  const paired = (key: 'validation_loss' | 'rank_ic' | 'net_return_per_day') =>
    overSeeds(taught.map((run, i) => run[key] - other[i]![key]));
  return {
    validation_loss: paired('validation_loss'),
    rank_ic: paired('rank_ic'),
    net_return_per_day: paired('net_return_per_day'),
    net_return_per_day_over_days: overDays(taught, other),
  };
};
const alone = runsOf(0, null);
const differences = lambdas.slice(1).map((lambda) => {
  const taught = runsOf(lambda, 'trees');
  const shrunk = runsOf(lambda, 'nothing');
  return {
    lambda,
    taught_less_alone: differenceOf(taught, alone),
    taught_nothing_less_alone: differenceOf(shrunk, alone),
    taught_less_taught_nothing: differenceOf(taught, shrunk),
  };
});
const trees = Float64Array.from(fit, (row) => teacher[row]!);
report('distillation', {
  data: {
    origin: market.origin,
    symbols: market.panel.symbols,
    data_version: market.panel.dataVersion,
  },
  train_rows: fit.length,
  validation_rows: rows.length,
  seeds: seedCount,
  teacher_rank_ic: rankCorrelation(
    trees,
    Float32Array.from(fit, (row) => dataset.labels[row]!),
  ),
  differences,
  runs: runs.map(({ daily: _, ...run }) => run),
  minutes: Number(process.hrtime.bigint() - begin) / 6e10,
});
