// Kills runs and their processes with SIGKILL at random moments, again and again, and looks after each time whether a
// finished trial was lost, changed or run again, and whether a file broke.
// usage: node test/hpo/run/killed.ts [rounds]

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createRandom, projectPath, type Random, systemClock } from '../../../core/index.ts';
import { readJournal } from '../../../hpo/journal/index.ts';
import { tpeSampler } from '../../../hpo/sample/index.ts';
import { openSqliteStorage } from '../../../hpo/storage/index.ts';
import { type FrozenTrial, isFinished, loadStudy } from '../../../hpo/study/index.ts';
import { decided, inFolder } from './searches.ts';

/** What was done, and what came of it. */
export interface Kills {
  readonly rounds: number;
  readonly workersKilled: number;
  /** trials that were running when a run was killed */
  readonly interrupted: number;
  readonly finished: number;
  readonly failed: number;
}

/** How to disturb. */
export interface Disturbance {
  readonly rounds: number;
  readonly seed: number;
  readonly killsWorkers: boolean;
  /** options of the run, as JSON */
  readonly run: Readonly<Record<string, unknown>>;
}

interface Files {
  readonly stored: readonly FrozenTrial[];
  readonly written: readonly FrozenTrial[];
}

/** Starts a run and kills it, so many times. @throws Error that says which promise was broken */
export async function killRounds(folder: string, disturbance: Disturbance): Promise<Kills> {
  const { rounds, seed, killsWorkers, run } = disturbance;
  const random = createRandom(seed);
  const log = join(folder, 'log');
  const changes = { ...run, task: { ...(run.task as object), log } };
  let before: Files = { stored: [], written: [] };
  let [workersKilled, interrupted] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    const begunBefore = linesOf(log).length;
    const said = await runUntilKilled(folder, changes, random, async () => {
      if (killsWorkers && (await killOne(log, random))) workersKilled += 1;
    });
    const after = await look(folder);
    // a process that is left behind may still say that it begins
    await delay(20);
    const begun = linesOf(log).slice(begunBefore).map(Number.parseFloat);
    const wrong = broken(before, after, said, begun);
    if (wrong !== null) throw new Error(`round ${round}: ${wrong}`);
    interrupted += after.stored.filter(({ state }) => state === 'RUNNING').length;
    before = after;
  }
  const finished = before.stored.filter(({ state }) => isFinished(state));
  const failed = finished.filter(({ state }) => state === 'FAIL').length;
  if (failed > workersKilled) throw new Error(`${failed} FAIL after ${workersKilled} crashes`);
  return { rounds, workersKilled, interrupted, finished: finished.length, failed };
}

/** @returns numbers of the trials that the run promised */
async function runUntilKilled(
  folder: string,
  changes: object,
  random: Random,
  meanwhile: () => Promise<void>,
): Promise<readonly number[]> {
  const program = projectPath('test', 'hpo', 'run', 'killedRun.ts');
  const child = spawn(process.execPath, [program, folder, JSON.stringify(changes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = Promise.withResolvers<void>();
  child.once('close', () => closed.resolve());
  const began = Promise.withResolvers<void>();
  // now and then before a trial has ended
  const linesAwaited = random.uniform() < 0.25 ? 1 : 2;
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.split('\n').length > linesAwaited) began.resolve();
  });
  await Promise.race([began.promise, closed.promise]);
  await delay(random.uniform() * 120);
  await meanwhile();
  await delay(random.uniform() * 60);
  child.kill('SIGKILL');
  await closed.promise;
  return said.split('\n').slice(1, -1).map(Number);
}

/** Kills one of the processes that began last. */
async function killOne(log: string, random: Random): Promise<boolean> {
  const last = linesOf(log).at(-1 - random.integer(2));
  if (last === undefined) return false;
  try {
    return process.kill(Number(last.split(' ')[1]), 'SIGKILL');
  } catch {
    return false;
  }
}

async function look(folder: string): Promise<Files> {
  const path = join(folder, 'study.db');
  if (!existsSync(path)) return { stored: [], written: [] };
  const database = new DatabaseSync(path);
  const { integrity_check: integrity } = database.prepare('PRAGMA integrity_check').get()!;
  database.close();
  if (integrity !== 'ok') throw new Error(`the database is broken: ${integrity}`);
  const storage = openSqliteStorage(path);
  try {
    if ((await storage.findStudy('study')) === null) return { stored: [], written: [] };
    const sampler = tpeSampler({ seed: 0 });
    const study = await loadStudy({ storage, name: 'study', sampler, clock: systemClock });
    const { trials } = await study.snapshot();
    const journal = join(folder, 'study.jsonl');
    return { stored: trials, written: [...readJournal(journal, 'study')] };
  } finally {
    await storage.close();
  }
}

/** The promise that is broken; null = none. */
function broken(
  before: Files,
  after: Files,
  promised: readonly number[],
  begun: readonly number[],
): string | null {
  const written = new Map(after.written.map((trial) => [trial.number, trial]));
  for (const number of promised) {
    if (!written.has(number)) return `trial ${number} was promised, and is not in the journal`;
  }
  for (const trial of after.written) {
    const stored = after.stored[trial.number];
    if (!isDeepStrictEqual(decided([trial]), decided(stored === undefined ? [] : [stored]))) {
      return `trial ${trial.number} is another in the journal than in the storage`;
    }
  }
  const finished = before.stored.filter(({ state }) => isFinished(state));
  for (const trial of finished) {
    if (!isDeepStrictEqual(after.stored[trial.number], trial)) {
      return `trial ${trial.number} was finished, and has changed`;
    }
    if (begun.includes(trial.number)) return `trial ${trial.number} was finished, and ran again`;
  }
  return null;
}

const linesOf = (log: string): string[] =>
  existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];

if (import.meta.main) {
  const rounds = Number(process.argv[2] ?? 100);
  const run = { trials: 1_000_000, task: { delayMs: 15 } };
  const kills = await inFolder((folder) =>
    killRounds(folder, { rounds, seed: 1, killsWorkers: true, run }),
  );
  process.stdout.write(`${JSON.stringify(kills)}\n`);
}
