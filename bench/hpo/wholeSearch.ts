// A whole search on real bars, as `make hpo` runs it: undisturbed, then in another folder with SIGKILL to the command and
// all its processes at random moments of every stage, and gone on with after each by the same command. Both must find the
// same. Python Optuna opens what is left, where there is one.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createRandom, projectPath, readJson } from '../../core/index.ts';
import { openSqliteStorage } from '../../hpo/storage/index.ts';
import { bestTrial, type FrozenTrial, type StudySnapshot } from '../../hpo/study/index.ts';
import { askOptuna } from './optuna.ts';
import { inFolder, seconds } from './searches.ts';

/** Kills before the last stage; one more follows in it. */
const earlyKills = 4;

/** Finished trials by study. */
type Progress = Readonly<Record<string, number>>;

/**
 * Measures the search and looks whether kills change what it finds; `differences` says what they changed.
 * @param data folder of the real bars
 * @param trials of the first two stages; null = as the config has it
 */
export const measureWholeSearch = (data: string, trials: number | null, seed: number) =>
  inFolder(async (folder) => {
    const args = [
      ...['hpo', 'run', '--deterministic', '--config', projectPath('configs', 'hpo.json')],
      ...['--data', data, '--workers', '2', '--json', '--no-progress'],
      ...(trials === null ? [] : ['--trials', String(trials)]),
    ];
    const undisturbed = join(folder, 'undisturbed');
    const whole = await command(args, undisturbed).ended;
    const wanted = await found(undisturbed, whole.text);
    const finished = journalled(undisturbed);
    const disturbed = join(folder, 'disturbed');
    const kills: Progress[] = [];
    let s = 0;
    for (const moment of momentsOf(finished, seed)) {
      const run = await killAfter(args, disturbed, moment);
      s += run.s;
      kills.push(run.killedAt);
    }
    const last = await command(args, disturbed).ended;
    const got = await found(disturbed, last.text);
    const optuna = optunaOpens(disturbed, got.studies);
    const differences = [
      ...differing(wanted, got),
      ...twice(disturbed),
      ...(optuna === false ? ['what Optuna reads'] : []),
    ];
    return {
      ...{ seed, trials: finished, s: whole.s, best: wanted.studies.map(bestOf) },
      candidates: wanted.candidates.length,
      killed: { s: s + last.s, kills, resumed_equal: differences.length === 0 },
      ...{ optuna_opens: optuna, differences },
    };
  });

interface Run {
  readonly s: number;
  /** stdout */
  readonly text: string;
}

/** Starts a command in a folder of its own. `ended` throws unless it succeeds. */
function command(args: readonly string[], out: string) {
  const { DATABASE_URL: _, ...env } = process.env;
  const begin = seconds();
  const words = [projectPath('sluice.ts'), ...args, '--out', out];
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ended = closed.then((exit): Run => {
    if (exit !== 0) throw new Error(`the search ended with ${exit}: ${text}`);
    return { s: seconds() - begin, text };
  });
  return { ended, closed, begin };
}

/** Counts of finished trials, ascending: some random ones before the last stage, spread over it all, and one within it. */
function momentsOf(finished: Progress, seed: number): readonly number[] {
  const counts = Object.entries(finished).sort(([a], [b]) => (a < b ? -1 : 1));
  const last = counts.at(-1)![1];
  const early = counts.reduce((sum, [, count]) => sum + count, 0) - last;
  const random = createRandom(seed);
  const share = early / earlyKills;
  return [
    ...Array.from({ length: earlyKills }, (_, i) => Math.floor((i + random.uniform()) * share)),
    early + 1 + random.integer(last - 1),
  ];
}

/** Runs until so many trials have finished, then kills all processes. @throws Error if the search ends before */
async function killAfter(args: readonly string[], out: string, moment: number) {
  const { ended, closed, begin } = command(args, out);
  let isOver = false;
  const over = ended.finally(() => {
    isOver = true;
  });
  over.catch(() => {}); // being killed is no success
  while (!isOver && (total(journalled(out)) < moment || processesOf(out).length < 2))
    await delay(20);
  if (isOver) throw new Error(`the search ended before it could be killed after ${moment} trials`);
  const s = seconds() - begin;
  for (let left = processesOf(out); left.length > 0; left = processesOf(out)) {
    for (const pid of left) kill(pid);
    await delay(20);
  }
  await closed;
  return { s, killedAt: journalled(out) };
}

/** Living processes of a command: its folder, whose name nothing else has, is among the arguments of each. */
function processesOf(out: string): readonly number[] {
  const { stdout } = spawnSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,args='], { encoding: 'utf8' });
  return stdout.split('\n').flatMap((line) => {
    const [, pid, state, words] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return words?.includes(out) && !state!.startsWith('Z') ? [Number(pid)] : [];
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {} // it has ended meanwhile
}

const total = (progress: Progress): number =>
  Object.values(progress).reduce((sum, count) => sum + count, 0);

const journalsOf = (out: string): readonly string[] => {
  const folder = join(out, 'hpo', 'journal');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => join(folder, name));
};

const linesOf = (path: string): readonly string[] =>
  readFileSync(path, 'utf8').split('\n').slice(0, -1);

/** Lines of the journals by stage, such as `1-coarse`. */
const journalled = (out: string): Progress =>
  Object.fromEntries(
    journalsOf(out).map((path) => [/\d-[a-z]+(?=\.jsonl$)/.exec(path)![0], linesOf(path).length]),
  );

/** Studies that journal a trial twice. */
const twice = (out: string): readonly string[] =>
  journalsOf(out).filter((path) => {
    const numbers = linesOf(path).map((line) => JSON.parse(line).number);
    return new Set(numbers).size < numbers.length;
  });

interface Found {
  /** the best of each stage, as the command prints them */
  readonly top: readonly Readonly<Record<string, unknown>>[];
  readonly candidates: readonly unknown[];
  readonly studies: readonly StudySnapshot[];
}

/** What a search found that its times and its folder do not decide. */
async function found(out: string, text: string): Promise<Found> {
  const { top, candidates } = JSON.parse(text);
  const storage = openSqliteStorage(join(out, 'hpo', 'optuna_liquid.db'));
  try {
    const studies: StudySnapshot[] = [];
    for (const { id, name, directions } of await storage.listStudies()) {
      const trials = await storage.readTrials(id, -1, []);
      studies.push({ name, directions, trials: trials.map(decided) });
    }
    return {
      top: top.map((trial: object) => ({ ...trial, started_at: 0, completed_at: 0 })),
      candidates: candidates.map((candidate: { readonly config: string }) => ({
        ...candidate,
        config: readJson(candidate.config),
      })),
      studies,
    };
  } finally {
    await storage.close();
  }
}

/** A trial without its id, its times, and the count of its retries. */
const decided = ({ systemAttributes, ...trial }: FrozenTrial): FrozenTrial => ({
  ...trial,
  ...{ id: 0, startedAt: 0, completedAt: 0 },
  systemAttributes: new Map([...systemAttributes].filter(([key]) => key !== 'sluice_retries')),
});

/** Where two searches differ: words for a person. */
function differing(wanted: Found, got: Found): readonly string[] {
  const parts = (['top', 'candidates'] as const).filter(
    (part) => !isDeepStrictEqual(wanted[part], got[part]),
  );
  const trialsOf = ({ studies }: Found) =>
    new Map(
      studies.flatMap(({ name, trials }) =>
        trials.map((trial) => [`${name} ${trial.number}`, trial] as const),
      ),
    );
  const [ours, theirs] = [trialsOf(wanted), trialsOf(got)];
  const names = [...new Set([...ours.keys(), ...theirs.keys()])];
  return [
    ...parts,
    ...names.filter((name) => !isDeepStrictEqual(ours.get(name), theirs.get(name))),
  ];
}

const bestOf = (study: StudySnapshot): number | null => bestTrial(study)?.values?.[0] ?? null;

/** Whether Python Optuna sees the same states and best values; null = there is none. */
function optunaOpens(out: string, studies: readonly StudySnapshot[]): boolean | null {
  const theirs = askOptuna('open', join(out, 'hpo', 'optuna_liquid.db'));
  if (theirs === null) return null;
  const ours = studies.map((study) => [
    study.name,
    {
      states: study.trials.map(({ state }) => state),
      best: bestOf(study),
    },
  ]);
  return isDeepStrictEqual(theirs, Object.fromEntries(ours));
}
