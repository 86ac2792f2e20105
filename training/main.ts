// The commands of training: retrain, verify-reproducible, train tsmixer, report, doctor. Reads the environment, opens database and
// library, and turns reports into what a person or a program reads.

import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  asSluiceError,
  type CommandIo,
  type CommandResult,
  isoTime,
  type RunSource,
} from '../core/index.ts';
import { openDatabase } from '../data/store/index.ts';
import { gbdtWarnings, requireDevice, requireReproducible } from './gbdt/index.ts';
import {
  builtLightgbmPath,
  findLightgbm,
  findSluice,
  type GpuTools,
  gpuLines,
  gpuTools,
  type LightgbmLibrary,
  lightgbmInfo,
  sluiceInfo,
} from './native/index.ts';
import { bpsInterval, engineName, type RetrainReport, renderText } from './report/index.ts';
import {
  chooseEngine,
  type EngineOptions,
  type Judge,
  type RetrainConfig,
  readRetrainConfig,
  redrawReport,
  retrain as runRetrain,
  type TrainedArtifact,
  trainNetwork,
} from './retrain/index.ts';
import type { TsmixerEngine } from './tsmixer/index.ts';

/** Options of `retrain`. */
export interface RetrainOptions extends EngineOptions {
  readonly config: string;
  readonly data?: string;
  readonly out: string;
  readonly seed?: number;
  readonly alpha?: number;
  readonly runSource?: RunSource;
  readonly asOf?: number;
  readonly threads?: number;
}

/** `retrain`: the main job. "Nothing promoted" ends with exit code 0. */
export async function retrain(
  options: RetrainOptions,
  io: CommandIo,
  judge: Judge,
): Promise<CommandResult> {
  const tools = toolsOf(options, io);
  const { report, htmlPath } = await retrainOnce(options, io, judge, tools, options.out);
  return { json: resultOf(report, htmlPath), text: renderText(report, htmlPath), exit: 0 };
}

const threadCounts = [1, 2, 3];

/** `verify-reproducible`: the job with 1, 2 and 3 threads, in folders of its own; exit 1 if the digests differ. */
export async function verifyReproducible(
  options: RetrainOptions,
  io: CommandIo,
  judge: Judge,
): Promise<CommandResult> {
  const { gbdt, baseline } = readRetrainConfig(options.config);
  for (const trees of [gbdt, baseline]) requireReproducible(trees);
  const tools = toolsOf(options, io);
  const digests: string[] = [];
  const asOf = options.asOf ?? io.clock();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reproducible-'));
  try {
    for (const threads of threadCounts) {
      const out = join(folder, `threads-${threads}`);
      const once = { ...options, threads, asOf };
      const { report } = await retrainOnce(once, io, judge, tools, out, 'embedded');
      digests.push(report.artifact.digest);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const ok = new Set(digests).size === 1;
  const each = digests.map((digest, i) => `with ${threadCounts[i]} ${digest}`).join(', ');
  const text = ok
    ? `Reproducible: 1, 2 and 3 threads give the artifact ${digests[0]}.`
    : `Not reproducible: the artifact is ${each}.`;
  return { json: { ok, threads: threadCounts, digests }, text, exit: ok ? 0 : 1 };
}

/** What fits trees and network. */
interface Tools {
  readonly library: LightgbmLibrary;
  /** null without a network */
  readonly engine: TsmixerEngine | null;
}

/** Finds both, or says what is missing, before any work. */
function toolsOf(options: RetrainOptions, io: CommandIo): Tools {
  const config = readRetrainConfig(options.config);
  const engine = chooseEngine(config.tsmixer, options, io.progress);
  return { library: treesLibrary(config, io), engine };
}

async function retrainOnce(
  options: RetrainOptions,
  io: CommandIo,
  judge: Judge,
  { library, engine }: Tools,
  out: string,
  database: 'chosen' | 'embedded' = 'chosen',
) {
  const config = withOptions(readRetrainConfig(options.config), options);
  const url = database === 'embedded' ? undefined : io.env.DATABASE_URL;
  const db = await openDatabase({ url, folder: join(out, 'db'), clock: io.clock });
  try {
    return await runRetrain({
      ...io,
      config,
      dataFolder: options.data ?? null,
      out,
      asOf: options.asOf,
      library,
      engine,
      engineVersion: lightgbmInfo(library).version ?? 'unknown',
      db,
      judge,
    });
  } finally {
    await db.close();
  }
}

/** LightGBM for the device of the trees; what speaks against that device is said. */
function treesLibrary({ gbdt, baseline }: RetrainConfig, { progress }: CommandIo): LightgbmLibrary {
  const cuda = [gbdt, baseline].find(({ device }) => device === 'cuda');
  const params = cuda ?? gbdt;
  for (const warning of gbdtWarnings(params)) progress.update(warning, 0);
  const library = findLightgbm(builtLightgbmPath(params.device));
  requireDevice(library, params);
  return library;
}

function withOptions(
  config: RetrainConfig,
  options: Pick<RetrainOptions, 'seed' | 'alpha' | 'runSource' | 'threads'>,
): RetrainConfig {
  const { seed = config.seed, alpha = config.data.simulator.alpha } = options;
  const reseeded = options.seed === undefined ? {} : { seed };
  const threads = options.threads ?? config.gbdt.threads;
  return {
    ...config,
    seed,
    run_source: options.runSource ?? config.run_source,
    data: { ...config.data, simulator: { ...config.data.simulator, ...reseeded, alpha } },
    gbdt: { ...config.gbdt, ...reseeded, threads },
    baseline: { ...config.baseline, threads },
    tsmixer: config.tsmixer && {
      ...config.tsmixer,
      ...reseeded,
      threads: options.threads ?? config.tsmixer.threads,
    },
  };
}

/** The document of `--json`; the report's JSON beside the HTML holds the rest. */
function resultOf(report: RetrainReport, htmlPath: string): Record<string, unknown> {
  return {
    run_id: report.run_id,
    run_source: report.run_source,
    data_version: report.data_version,
    feature_version: report.feature_version,
    seed: report.seed,
    as_of: isoTime(report.as_of),
    arms: report.arms.map(({ checks: _, ...arm }) => arm),
    lambda: report.neural?.lambda ?? null,
    alpha: report.ensemble?.alpha ?? null,
    engine: report.neural?.engine ?? null,
    promoted_policy: report.promoted_policy,
    gate: report.gate,
    artifact: report.artifact,
    report: htmlPath,
    seconds: report.seconds,
  };
}

/** Options of `train tsmixer`. */
export interface TrainOptions extends EngineOptions {
  readonly config: string;
  readonly data?: string;
  readonly out: string;
  /** false = no trees, no teacher */
  readonly teacher: boolean;
  /** folder in which the training keeps itself, and goes on from if it was stopped */
  readonly checkpoint?: string;
  readonly seed?: number;
  readonly alpha?: number;
  readonly asOf?: number;
  readonly threads?: number;
}

/** `train tsmixer`: the neural stage alone, to a signed artifact that no gate has judged. */
export async function trainTsmixer(options: TrainOptions, io: CommandIo): Promise<CommandResult> {
  const config = withOptions(readRetrainConfig(options.config), options);
  const trained = await trainNetwork({
    ...io,
    config,
    dataFolder: options.data ?? null,
    out: options.out,
    asOf: options.asOf,
    engine: chooseEngine(config.tsmixer, options, io.progress),
    library: options.teacher ? treesLibrary(config, io) : null,
    checkpoints: options.checkpoint,
  });
  const { artifact, neural, validation, dataVersion } = trained;
  const json = { data_version: dataVersion, neural, validation, artifact };
  return { json, text: trainedText(trained), exit: 0 };
}

function trainedText({ neural, validation, artifact }: TrainedArtifact): string {
  const tried = neural.lambda_candidates.map(
    ({ lambda, validation_loss, rank_ic, epochs }) =>
      `  lambda ${lambda}: validation loss ${validation_loss.toFixed(6)}, rank IC ${rank_ic.toFixed(4)}, ${epochs} epochs`,
  );
  return [
    `A network of ${neural.shape.nTokens} tokens and ${neural.shape.nChannels} channels, trained on ${neural.train_rows} windows; validation loss is relative to predicting zero.`,
    ...(neural.engine === undefined ? [] : [`Trained by ${engineName(neural.engine)}.`]),
    ...tried,
    `Chosen: lambda ${neural.lambda}, ${neural.epochs} epochs. Validation: ${bpsInterval(validation)} bps a day after cost, rank IC ${validation.rank_ic?.toFixed(4) ?? '-'}.`,
    `Artifact: ${artifact.path}`,
    `  digest ${artifact.digest}`,
  ].join('\n');
}

/** `report`: draws the HTML of a stored run again. */
export async function rebuildReport(
  { out, runId }: { readonly out: string; readonly runId: string },
  _io: CommandIo,
): Promise<CommandResult> {
  const path = redrawReport(out, runId);
  return { json: { path }, text: path, exit: 0 };
}

/** `doctor`: what this machine has. Exit 1 if the main job could not run; it needs no GPU. */
export async function doctor(
  { out }: { readonly out: string },
  io: CommandIo,
): Promise<CommandResult> {
  const lightgbm = attempt(() => lightgbmInfo(findLightgbm()));
  const sluice = attempt(() => sluiceInfo(findSluice()));
  const gpu = gpuTools(io.env);
  const database = await databaseOf(out, io);
  const document = {
    node: process.version,
    cores: availableParallelism(),
    lightgbm: 'value' in lightgbm ? lightgbm.value : { error: lightgbm.error },
    lightgbm_cuda: gpu.lightgbm,
    tsmixer: {
      cpu: 'value' in sluice ? sluice.value.kernels : { error: sluice.error },
      cuda: gpu.tsmixer,
    },
    nvcc: gpu.nvcc,
    gpu: deviceOf(gpu),
    database,
  };
  const lines = [
    `Node        ${document.node}, ${document.cores} cores`,
    'value' in lightgbm
      ? `LightGBM    ${lightgbm.value.version ?? 'of unknown version'}, OpenMP ${lightgbm.value.openmp ? 'yes' : 'no'}, ${lightgbm.value.path}`
      : `LightGBM    missing: ${lightgbm.error}`,
    'value' in sluice
      ? `TSMixer     cpu ${sluice.value.kernels}, ${sluice.value.path}`
      : `TSMixer     missing: ${sluice.error}`,
    `Database    ${database.kind}, ${database.ok ? 'ok' : database.error}`,
    ...gpuLines(gpu),
  ];
  const sound = 'value' in lightgbm && 'value' in sluice && database.ok;
  return { json: document, text: lines.join('\n'), exit: sound ? 0 : 1 };
}

/** The GPU that a training would use; null = none. */
function deviceOf({ tsmixer }: GpuTools): { name: string; driver: string } | null {
  if (tsmixer === false || 'error' in tsmixer) return null;
  return { name: tsmixer.name, driver: tsmixer.driver };
}

function attempt<T>(look: () => T): { value: T } | { error: string } {
  try {
    return { value: look() };
  } catch (thrown) {
    return { error: asSluiceError(thrown).message };
  }
}

async function databaseOf(out: string, io: CommandIo) {
  const url = io.env.DATABASE_URL;
  const kind = url ? 'server' : 'embedded';
  try {
    await (await openDatabase({ url, folder: join(out, 'db'), clock: io.clock })).close();
    return { kind, ok: true, error: null };
  } catch (thrown) {
    return { kind, ok: false, error: asSluiceError(thrown).message };
  }
}
