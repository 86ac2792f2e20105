import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { readJournal } from '../../../hpo/journal/index.ts';
import { begun, inFolder, runIn } from './searches.ts';

const start = (folder: string, changes: object): ChildProcess => {
  const program = projectPath('test', 'hpo', 'run', 'killedRun.ts');
  return spawn(process.execPath, [program, folder, JSON.stringify(changes)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};

describe('several runs of one study', () => {
  it('share its trials: each is run by one of them, and in the journal of that one', () =>
    inFolder(async (folder) => {
      const log = join(folder, 'log');
      const journals = ['a.jsonl', 'b.jsonl'].map((name) => join(folder, name));
      const run = { trials: 40, task: { log, delayMs: 30 }, study: { leaseMs: 60_000 } };
      const ends = journals.map((journal) => once(start(folder, { ...run, journal }), 'exit'));
      for (const [code] of await Promise.all(ends)) expect(code).to.equal(0);
      const numbers = begun(log).sort((a, b) => a - b);
      // two that ask at once for the last trial may both get one
      expect(numbers.length).to.be.within(40, 41);
      expect(numbers).to.deep.equal([...numbers.keys()]);
      const written = journals.flatMap((path) =>
        [...readJournal(path, 'study')].map(({ number }) => number),
      );
      expect(written.sort((a, b) => a - b)).to.deep.equal(numbers);
    }));

  it('take up what a run left that died, once its lease has ended', () =>
    inFolder(async (folder) => {
      const log = join(folder, 'log');
      const gate = join(folder, 'gate');
      const study = { leaseMs: 300, maxRetries: 1 };
      const changes = { trials: 2, task: { log, gate }, study, journal: join(folder, 'a.jsonl') };
      const child = start(folder, changes);
      while (!existsSync(log) || begun(log).length < 2) await delay(5);
      child.kill('SIGKILL');
      const result = await runIn(folder, { trials: 4, study, journal: join(folder, 'b.jsonl') });
      expect(result).to.include({ ended: 'done', finishedHere: 4, reclaimed: 0 });
      expect(result.trials.map(({ state }) => state)).to.deep.equal(Array(4).fill('COMPLETE'));
    }));
});
