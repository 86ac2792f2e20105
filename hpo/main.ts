// The commands of a search: run, resume, top, export, report. Reads the environment, opens storage and registry, and turns
// what a search has into what a person or a program reads.

import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type CommandIo, type CommandResult, writeFileAtomic } from '../core/index.ts';
import { type Database, gateCandidates, openDatabase } from '../data/store/index.ts';
import { builtLightgbmPath, findLightgbm } from '../training/native/index.ts';
import { chooseEngine, openTrialMarket } from '../training/retrain/index.ts';
import { writeReport } from './report/index.ts';
import {
  exportCsv,
  findPlan,
  type Plan,
  planSearch,
  readSearchConfig,
  readTrialRows,
  runSearch,
  type SearchResult,
  searchProgress,
  studyName,
  topText,
  topTrials,
  trialJson,
  withTrials,
} from './stages/index.ts';
import { openStorage } from './storage/index.ts';
import type { Json, Storage } from './study/index.ts';

/** Where a search is kept. */
export interface PlaceOptions {
  readonly out: string;
  /** `postgres://...` or the path of a SQLite file; default: `hpo/optuna_liquid.db` under `out` */
  readonly storage?: string;
}

/** Which search; default: the newest. */
export interface SearchOptions extends PlaceOptions {
  /** name of one of its studies */
  readonly study?: string;
}

/** Options of `hpo resume`. */
export interface ResumeOptions extends SearchOptions {
  readonly workers?: number;
  /** seconds after which a silent worker's trials are taken back; for several machines on one storage */
  readonly lease?: number;
}

/** Options of `hpo run`. */
export interface RunSearchOptions extends Omit<ResumeOptions, 'study'> {
  readonly config: string;
  /** folder with the files that the config names, or a bar store; default: the simulator */
  readonly data?: string;
  /** of the first two stages together; default: from the config */
  readonly trials?: number;
  readonly seed?: number;
  readonly deterministic?: boolean;
}

/** `hpo run`: plans a search and runs it; one that is there already goes on where it was. */
export async function hpoRun(options: RunSearchOptions, io: CommandIo): Promise<CommandResult> {
  const { config, base } = readSearchConfig(options.config);
  findLightgbm(builtLightgbmPath(base.gbdt.device));
  if (config.policy === 'nn_only') chooseEngine(base.tsmixer, {}, io.progress);
  const market = await openTrialMarket({
    config: base,
    dataFolder: options.data ?? null,
    store: resolve(options.out, 'bars'),
    progress: io.progress,
    signal: io.signal,
  });
  const plan = planSearch({
    config: options.trials === undefined ? config : withTrials(config, options.trials),
    market,
    seed: options.seed ?? base.seed,
    deterministic: options.deterministic ?? false,
  });
  return withStorage(options, (storage) => runPlan(plan, storage, options, io));
}

/** `hpo resume`: goes on with a search as it was planned. */
export async function hpoResume(options: ResumeOptions, io: CommandIo): Promise<CommandResult> {
  return withStorage(options, async (storage) => {
    const plan = await findPlan(storage, options.study);
    return runPlan(plan, storage, options, io);
  });
}

async function runPlan(
  plan: Plan,
  storage: Storage,
  options: ResumeOptions,
  io: CommandIo,
): Promise<CommandResult> {
  const { out, workers, lease } = options;
  const result = await runSearch({
    plan,
    storage,
    journals: join(out, 'hpo', 'journal'),
    withRegistry: (work) => withRegistry(options, io, work),
    workers,
    ...(lease === undefined ? {} : { leaseMs: 1000 * lease }),
    clock: io.clock,
    stop: { finish: io.signal, now: io.stopNow ?? new AbortController().signal },
    onProgress: searchProgress(io),
  });
  const configs = result.candidates.map(({ candidate, config }) => {
    const path = join(out, 'hpo', 'candidates', `${candidate.slice(0, 12)}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, `${JSON.stringify(config, null, 2)}\n`);
    return path;
  });
  const rows = await topTrials(storage, plan, 5);
  return {
    json: {
      ended: result.ended,
      stage: result.stage,
      study: studyName(plan, result.stage),
      search_digest: plan.search_digest,
      policy: plan.config.policy,
      trial_count: result.trialCount,
      windows: plan.windows,
      top: rows.map(trialJson),
      candidates: result.candidates.map(({ candidate, evidence, stages }, at) => ({
        candidate,
        config: configs[at]!,
        stages,
        dsr_2014_v1: evidence.dsr_2014_v1 as Json,
      })),
    },
    text: `${topText(rows)}\n\n${endText(result, configs)}`,
    exit: 0,
  };
}

function endText(result: SearchResult, configs: readonly string[]): string {
  const trials = `${result.trialCount} trials were ever made on this market`;
  switch (result.ended) {
    case 'stopped':
      return `Stopped in the stage ${result.stage}; npx sluice hpo resume goes on. ${trials}.`;
    case 'nothing_left':
      return `Ended: no trial of the stage ${result.stage} may go on. ${trials}.`;
    case 'done':
      return configs.length === 0
        ? `No trial was confirmed on live data, so there is no candidate. ${trials}.`
        : [
            `${configs.length} gate candidate(s); ${trials}. Make an artifact of one with:`,
            ...configs.map((path) => `  npx sluice retrain --config ${path} --data ...`),
          ].join('\n');
  }
}

/** `hpo top`: the best trials of each stage. */
export async function hpoTop(
  options: SearchOptions & { readonly count: number },
): Promise<CommandResult> {
  return withStorage(options, async (storage) => {
    const plan = await findPlan(storage, options.study);
    const rows = await topTrials(storage, plan, options.count);
    return { json: { top: rows.map(trialJson) }, text: topText(rows), exit: 0 };
  });
}

/** `hpo export`: every trial of a search. */
export async function hpoExport(
  options: SearchOptions & { readonly format: 'csv' | 'json' },
): Promise<CommandResult> {
  return withStorage(options, async (storage) => {
    const rows = await readTrialRows(storage, await findPlan(storage, options.study));
    const json = { trials: rows.map(trialJson) };
    const text = options.format === 'csv' ? exportCsv(rows) : JSON.stringify(json, null, 2);
    return { json, text, exit: 0 };
  });
}

/** `hpo report`: writes the report of a search as HTML and JSON. */
export async function hpoReport(options: SearchOptions, io: CommandIo): Promise<CommandResult> {
  return withStorage(options, async (storage) => {
    const plan = await findPlan(storage, options.study);
    const registered = await withRegistry(options, io, (db) => gateCandidates(db, plan.market));
    const { htmlPath, jsonPath, report } = await writeReport({
      storage,
      study: studyName(plan, 'coarse'),
      base: join(
        options.out,
        'hpo',
        'report',
        `${plan.config.name}-${plan.search_digest.slice(0, 8)}`,
      ),
      clock: io.clock,
      candidates: registered.map(({ candidate, stages, evidence, trial_count }) => {
        const last = stages.at(-1)!;
        const figures = { trial_count, ...evidence } as Record<string, Json>;
        return { study: last.study_name, number: last.number, candidate_id: candidate, figures };
      }),
    });
    const json = { html: htmlPath, json: jsonPath, trial_count: report.trial_count };
    return { json, text: `Report: ${htmlPath}`, exit: 0 };
  });
}

async function withStorage<T>(
  { storage, out }: PlaceOptions,
  work: (storage: Storage) => Promise<T>,
): Promise<T> {
  const where = storage ?? join(out, 'hpo', 'optuna_liquid.db');
  if (!/^[a-z]+:\/\//.test(where)) mkdirSync(dirname(where), { recursive: true });
  const opened = await openStorage(where);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

async function withRegistry<T>(
  { out }: PlaceOptions,
  { env, clock }: CommandIo,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const db = await openDatabase({ url: env.DATABASE_URL, folder: join(out, 'db'), clock });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}
