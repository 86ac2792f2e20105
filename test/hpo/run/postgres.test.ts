import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { readJournal } from '../../../hpo/journal/index.ts';
import { openStorage } from '../../../hpo/storage/index.ts';
import { usePostgres } from '../../data/store/postgresServer.ts';
import { begun, decided, inFolder } from './searches.ts';

/** A run in a process of its own, as one of several machines. */
interface Machine {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly journal: string;
  /** numbers of the trials that it began */
  begun(): number[];
  /** numbers of the trials that it says it recorded */
  recorded(): number[];
}

function startMachine(folder: string, name: string, changes: object): Machine {
  const [log, journal] = [join(folder, `${name}.log`), join(folder, `${name}.jsonl`)];
  const task = { log, delayMs: 60, gate: join(folder, 'gate') };
  const program = projectPath('test', 'hpo', 'run', 'killedRun.ts');
  const run = JSON.stringify({ ...changes, workers: 2, task, journal });
  const child = spawn(process.execPath, [program, folder, run], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  return {
    child,
    ended: once(child, 'close'),
    journal,
    begun: () => (existsSync(log) ? begun(log) : []),
    recorded: () => said.split('\n').slice(1, -1).map(Number),
  };
}

const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);

const written = ({ journal }: Machine) => [...readJournal(journal, 'study')];

/** Waits until all machines are so far. */
async function until(machines: readonly Machine[], isSo: (machine: Machine) => boolean) {
  while (!machines.every(isSo)) {
    const dead = machines.find(({ child }) => child.exitCode !== null);
    if (dead !== undefined) throw new Error(`a run ended with ${dead.child.exitCode}`);
    await delay(5);
  }
}

describe('runs that share a study on a PostgreSQL server', () => {
  const server = usePostgres();
  it('finish every trial once; one is killed, and the other runs again what it left when the lease has ended', () =>
    inFolder(async (folder) => {
      const trials = 100;
      const storage = await server().createDatabase();
      const changes = { storage, trials, study: { leaseMs: 3000, maxRetries: 1 } };
      const gate = join(folder, 'gate');
      const [killed, other] = ['a', 'b'].map((name) => startMachine(folder, name, changes)) as [
        Machine,
        Machine,
      ];
      const machines = [killed, other];
      try {
        // both are at work, then both are held in the middle of a trial in each of their processes
        await until(machines, (machine) => machine.begun().length === 2);
        writeFileSync(gate, '');
        await until(machines, (machine) => machine.recorded().length >= 3);
        rmSync(gate);
        // who had passed the gate comes to its end: longer than any trial takes
        await delay(400);
        await until(
          machines,
          (machine) => machine.begun().length === machine.recorded().length + 2,
        );
        killed.child.kill('SIGKILL');
        await killed.ended;
        writeFileSync(gate, '');
        expect((await other.ended)[0]).to.equal(0);
      } finally {
        for (const { child } of machines) child.kill('SIGKILL');
      }

      const all = await readTrials(storage);
      expect(all.map(({ number }) => number)).to.deep.equal([...Array(trials).keys()]);
      expect(new Set(all.map(({ state }) => state))).to.deep.equal(new Set(['COMPLETE']));

      const finished = killed.recorded();
      const left = sorted(new Set(killed.begun()).difference(new Set(finished)));
      expect(left).to.have.length(2);
      expect(sorted(killed.begun())).to.deep.equal(sorted([...finished, ...left]));
      // none twice but those two, which ran once more
      const rest = [...Array(trials).keys()].filter((number) => !finished.includes(number));
      expect(sorted(other.begun())).to.deep.equal(rest);
      const again = all.filter(({ systemAttributes }) => systemAttributes.has('sluice_retries'));
      expect(again.map(({ number }) => number)).to.deep.equal(left);

      // what each wrote down is what the server has
      const lines = machines.flatMap(written).sort((a, b) => a.number - b.number);
      expect(decided(lines)).to.deep.equal(decided(all));
      expect(sorted(written(killed).map(({ number }) => number))).to.deep.equal(sorted(finished));
    }));
});

async function readTrials(where: string) {
  const storage = await openStorage(where);
  try {
    const study = await storage.findStudy('study');
    return await storage.readTrials(study!.id, -1, []);
  } finally {
    await storage.close();
  }
}
