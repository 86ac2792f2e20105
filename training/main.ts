// The commands of training: retrain, verify-reproducible, report, doctor. Reads the environment, opens database and
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
import { findLightgbm, lightgbmInfo } from './native/index.ts';
import type { ArmReport, RetrainReport } from './report/index.ts';
import {
  type Judge,
  type RetrainConfig,
  readRetrainConfig,
  redrawReport,
  retrain as runRetrain,
} from './retrain/index.ts';

/** Options of `retrain`. */
export interface RetrainOptions {
  readonly config: string;
  readonly data?: string;
  readonly out: string;
  readonly device: 'auto' | 'cpu';
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
  const { report, htmlPath } = await retrainOnce(options, io, judge, options.out);
  return { json: resultOf(report, htmlPath), text: textOf(report, htmlPath), exit: 0 };
}

/** `verify-reproducible`: the job twice, with 1 and 2 threads, in folders of its own; exit 1 if the digests differ. */
export async function verifyReproducible(
  options: RetrainOptions,
  io: CommandIo,
  judge: Judge,
): Promise<CommandResult> {
  const digests: string[] = [];
  const asOf = options.asOf ?? io.clock();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reproducible-'));
  try {
    for (const threads of [1, 2]) {
      const out = join(folder, `threads-${threads}`);
      const once = { ...options, threads, asOf };
      digests.push((await retrainOnce(once, io, judge, out, 'embedded')).report.artifact.digest);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const ok = digests[0] === digests[1];
  const text = ok
    ? `Reproducible: 1 and 2 threads give the artifact ${digests[0]}.`
    : `Not reproducible: 1 thread gives ${digests[0]}, 2 threads give ${digests[1]}.`;
  return { json: { ok, threads: [1, 2], digests }, text, exit: ok ? 0 : 1 };
}

async function retrainOnce(
  options: RetrainOptions,
  io: CommandIo,
  judge: Judge,
  out: string,
  database: 'chosen' | 'embedded' = 'chosen',
) {
  const config = withOptions(readRetrainConfig(options.config), options);
  const library = findLightgbm();
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
      engineVersion: lightgbmInfo(library).version ?? 'unknown',
      db,
      judge,
    });
  } finally {
    await db.close();
  }
}

function withOptions(config: RetrainConfig, options: RetrainOptions): RetrainConfig {
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
    arms: report.arms.map(({ policy, validation, forward_oos, promoted, reasons }) => ({
      policy,
      validation,
      forward_oos,
      promoted,
      reasons,
    })),
    gate: report.gate,
    artifact: report.artifact,
    report: htmlPath,
    seconds: report.seconds,
  };
}

function textOf(report: RetrainReport, htmlPath: string): string {
  const { data, gate, promoted_policy } = report;
  const origin =
    data.origin === 'simulator' ? 'the simulator' : data.sources.map((s) => s.file).join(', ');
  const tabular = report.arms.find(({ policy }) => policy === 'tabular_only');
  return [
    `${data.symbols.join(', ')} ${data.timeframe} from ${origin}, ${isoTime(data.from).slice(0, 10)} to ${isoTime(data.to).slice(0, 10)}; recorded as ${report.run_source}.`,
    '',
    ...armTable(report.arms),
    '',
    promoted_policy === null ? 'Nothing was promoted:' : `Promoted: ${promoted_policy}.`,
    ...(tabular?.reasons ?? []).map((reason) => `  - ${reason}`),
    `Gate: ${gate?.status}`,
    ...(gate?.reasons ?? []).map((reason) => `  - ${reason}`),
    `Artifact: ${report.artifact.path}`,
    `  digest ${report.artifact.digest}`,
    `Report: ${htmlPath}`,
  ].join('\n');
}

function armTable(arms: readonly ArmReport[]): string[] {
  const head = [
    'arm',
    'window',
    'net return',
    'sharpe_daily',
    'days',
    'max drawdown',
    'turnover/day',
    'rank IC',
    'DSR',
  ];
  const rows = arms.flatMap((arm) =>
    (['validation', 'forward_oos'] as const).map((window) => {
      const { metrics, statistics, rank_ic } = arm[window];
      return [
        arm.policy,
        window,
        `${(100 * metrics.total_return).toFixed(2)} %`,
        metrics.sharpe_daily.toFixed(3),
        String(metrics.observation_days),
        `${(100 * metrics.max_drawdown).toFixed(2)} %`,
        metrics.turnover.toFixed(3),
        rank_ic?.toFixed(4) ?? '-',
        statistics.dsr_2014_v1?.toFixed(4) ?? '-',
      ];
    }),
  );
  const widths = head.map((title, k) =>
    Math.max(title.length, ...rows.map((row) => row[k]!.length)),
  );
  return [head, ...rows].map((row) =>
    row.map((cell, k) => (k < 2 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!))).join('  '),
  );
}

/** `report`: draws the HTML of a stored run again. */
export async function rebuildReport(
  { out, runId }: { readonly out: string; readonly runId: string },
  _io: CommandIo,
): Promise<CommandResult> {
  const path = redrawReport(out, runId);
  return { json: { path }, text: path, exit: 0 };
}

/** `doctor`: what this machine has. Exit 1 if the main job could not run. */
export async function doctor(
  { out }: { readonly out: string },
  io: CommandIo,
): Promise<CommandResult> {
  const lightgbm = attempt(() => lightgbmInfo(findLightgbm()));
  const database = await databaseOf(out, io);
  const document = {
    node: process.version,
    cores: availableParallelism(),
    lightgbm: 'value' in lightgbm ? lightgbm.value : { error: lightgbm.error },
    tsmixer: { cpu: false, cuda: false },
    gpu: null,
    database,
  };
  const lines = [
    `Node        ${document.node}, ${document.cores} cores`,
    'value' in lightgbm
      ? `LightGBM    ${lightgbm.value.version ?? 'of unknown version'}, OpenMP ${lightgbm.value.openmp ? 'yes' : 'no'}, ${lightgbm.value.path}`
      : `LightGBM    missing: ${lightgbm.error}`,
    'TSMixer     not part of this version',
    `Database    ${database.kind}, ${database.ok ? 'ok' : database.error}`,
  ];
  const sound = 'value' in lightgbm && database.ok;
  return { json: document, text: lines.join('\n'), exit: sound ? 0 : 1 };
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
