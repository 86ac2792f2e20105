// Two processes that enqueue the same trials, each of them once: they begin with each at the same moment.
// usage of a process: node enqueueRace.ts STORAGE; every line of its input is the number of a trial to take up

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { projectPath, systemClock } from '../../../core/index.ts';
import { openStorage } from '../../../hpo/storage/index.ts';
import { createStudy, loadStudy } from '../../../hpo/study/index.ts';
import { middle } from './trials.ts';

const study = { name: 'raced', sampler: middle, clock: systemClock };

/** What came of a race. */
export interface EnqueueRace {
  /** `takes_up` of each trial of the study, by number */
  readonly taken: readonly unknown[];
  /** for each trial the processes, of two, that say they added it */
  readonly added: readonly number[];
}

/** Races two processes on a storage, which gets the study `raced`. */
export async function raceToEnqueue(where: string, trials: number): Promise<EnqueueRace> {
  const storage = await openStorage(where);
  const racers = [start(where), start(where)];
  try {
    const raced = await createStudy({ ...study, storage, directions: ['MINIMIZE'] });
    const added: number[] = [];
    // the first round, of a trial that nobody wants, waits for both to be up
    for (let number = -1; number < trials; number += 1) {
      const said = await Promise.all(racers.map((racer) => racer.take(number)));
      if (number >= 0) added.push(said.filter((line) => line === 'added').length);
    }
    const { trials: all } = await raced.snapshot();
    return { taken: all.map(({ userAttributes }) => userAttributes.get('takes_up')), added };
  } finally {
    await Promise.all(racers.map((racer) => racer.end()));
    await storage.close();
  }
}

function start(where: string) {
  const program = projectPath('test', 'hpo', 'storage', 'enqueueRace.ts');
  const child: ChildProcess = spawn(process.execPath, [program, where], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout! });
  return {
    async take(number: number): Promise<string> {
      const answer = once(lines, 'line');
      child.stdin!.write(`${number}\n`);
      const [line] = await Promise.race([answer, ended]);
      return String(line);
    },
    async end(): Promise<void> {
      child.stdin!.end();
      await ended;
    },
  };
}

if (import.meta.main) {
  const storage = await openStorage(process.argv[2]!);
  const lines = createInterface({ input: process.stdin });
  let raced: Awaited<ReturnType<typeof loadStudy>> | undefined;
  for await (const line of lines) {
    raced ??= await loadStudy({ ...study, storage });
    const number = Number(line);
    const userAttributes = { takes_up: { study: 'coarse', number } };
    const trial =
      number < 0 ? null : await raced.enqueue({ x: number }, { userAttributes, once: 'takes_up' });
    process.stdout.write(trial === null ? 'there\n' : 'added\n');
  }
  await storage.close();
}
