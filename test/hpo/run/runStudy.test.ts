import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { projectPath, SluiceError } from '../../../core/index.ts';
import { readJournal } from '../../../hpo/journal/index.ts';
import { medianPruner } from '../../../hpo/prune/index.ts';
import { createStopSwitch, type RunProgress } from '../../../hpo/run/index.ts';
import { tpeSampler } from '../../../hpo/sample/index.ts';
import { openSqliteStorage } from '../../../hpo/storage/index.ts';
import { bestTrial, createStudy, isFinished } from '../../../hpo/study/index.ts';
import type { TestTask } from './objective.ts';
import { begun, decided, inFolder, runIn } from './searches.ts';

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof SluiceError ? error.code : String(error)),
  );

describe('a run of a study', () => {
  it('runs its trials, each once, and keeps each in storage and journal', () =>
    inFolder(async (folder) => {
      const log = join(folder, 'log');
      const told: RunProgress[] = [];
      const result = await runIn(folder, {
        trials: 12,
        task: { log },
        onProgress: (progress) => told.push(progress),
      });
      expect(result).to.include({ ended: 'done', finishedHere: 12, reclaimed: 0 });
      expect(result.trials.map(({ state }) => state)).to.deep.equal(Array(12).fill('COMPLETE'));
      expect(begun(log).sort((a, b) => a - b)).to.deep.equal([...Array(12).keys()]);
      const lines = [...readJournal(join(folder, 'study.jsonl'), 'study')];
      const byNumber = lines.sort((a, b) => a.number - b.number);
      expect(decided(byNumber)).to.deep.equal(decided(result.trials));
      expect(told.map(({ finished }) => finished)).to.deep.equal(
        result.trials.map((_, i) => i + 1),
      );
      const { name, directions } = { name: 'study', directions: ['MINIMIZE'] as const };
      const best = bestTrial({ name, directions, trials: result.trials });
      expect(told.at(-1)!.best!.number).to.equal(best!.number);
    }));

  it('fails the trial that throws, dies, hangs or talks nonsense, says why, and no other', () =>
    inFolder(async (folder) => {
      const odd: NonNullable<TestTask['odd']> = {
        1: 'throw',
        2: 'die',
        3: 'step',
        4: 'nan',
        5: 'garbage',
        6: 'clone',
        8: 'hang',
      };
      // long enough for a process to start on a busy machine
      const { trials } = await runIn(folder, { task: { odd }, timeoutMs: 4000 });
      const reasons = new Map(
        trials
          .filter(({ state }) => state === 'FAIL')
          .map(({ number, systemAttributes }) => [number, systemAttributes.get('fail_reason')]),
      );
      expect([...reasons.keys()]).to.deep.equal(Object.keys(odd).map(Number));
      expect(reasons.get(1)).to.equal('no gradient');
      expect(reasons.get(2)).to.equal('its process ended by SIGKILL while it ran');
      expect(reasons.get(3)).to.match(/whole number from 0/);
      expect(reasons.get(4)).to.match(/NaN/);
      expect(reasons.get(5)).to.match(/did you mean "values"/);
      expect(reasons.get(6)).to.match(/cannot be sent/);
      expect(reasons.get(8)).to.equal('it took longer than 4000 ms');
      expect(trials.filter(({ state }) => state === 'COMPLETE')).to.have.length(3);
    }));

  it('goes on to more trials when it is called again, and does nothing when it has them', () =>
    inFolder(async (folder) => {
      const log = join(folder, 'log');
      await runIn(folder, { trials: 4, task: { log } });
      expect(await runIn(folder, { trials: 7, task: { log } })).to.include({ finishedHere: 3 });
      expect(await runIn(folder, { trials: 7, task: { log } })).to.include({ finishedHere: 0 });
      expect(begun(log).sort()).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    }));

  it('runs waiting trials first, with the parameters that they bring', () =>
    inFolder(async (folder) => {
      const storage = openSqliteStorage(join(folder, 'study.db'));
      const sampler = tpeSampler({ seed: 0 });
      const clock = () => 0;
      const directions = ['MINIMIZE'] as const;
      const study = await createStudy({ storage, name: 'study', sampler, clock, directions });
      await study.enqueue({ x: 0.3, n: 7, kind: 'b' });
      await storage.close();
      const { trials } = await runIn(folder, { trials: 3 });
      expect(trials).to.have.length(3);
      expect(trials[0]!.values).to.deep.equal([0]);
    }));

  it('evaluates as many trials at once as its batch says, and the rest at the end', () =>
    inFolder(async (folder) => {
      const { trials } = await runIn(folder, { trials: 10, batch: 4, workers: 1 });
      const together = trials.map(({ userAttributes }) => userAttributes.get('together'));
      expect(together).to.deep.equal([4, 4, 4, 4, 4, 4, 4, 4, 2, 2]);
    }));

  it('shares the cores out to the trials', () =>
    inFolder(async (folder) => {
      const { trials } = await runIn(folder, { trials: 8, workers: 2, cores: 5 });
      const threads = new Set(trials.map(({ userAttributes }) => userAttributes.get('threads')));
      expect([...threads].sort()).to.deep.equal([2, 3]);
    }));

  it('prunes trials on what they report', () =>
    inFolder(async (folder) => {
      const pruner = medianPruner({ startupTrials: 4, warmupSteps: 0 });
      const { trials } = await runIn(folder, {
        trials: 20,
        task: { steps: 3 },
        study: { pruner },
        deterministic: { window: 2 },
      });
      const pruned = trials.filter(({ state }) => state === 'PRUNED');
      expect(pruned.length).to.be.within(1, 16);
      for (const { reports, values } of pruned) {
        expect(values).to.deep.equal([[...reports.values()].at(-1)]);
      }
      const complete = trials.filter(({ state }) => state === 'COMPLETE');
      for (const { reports } of complete) expect([...reports.keys()]).to.deep.equal([0, 1, 2]);
    }));

  it('refuses settings that do not go together, and a module that cannot be used', () =>
    inFolder(async (folder) => {
      expect(await codeOf(runIn(folder, { workers: 0 }))).to.equal('config_invalid');
      const deterministic = { window: 2 };
      expect(await codeOf(runIn(folder, { batch: 3, deterministic }))).to.equal('config_invalid');
      const leased = { deterministic, study: { leaseMs: 1000 } };
      expect(await codeOf(runIn(folder, leased))).to.equal('config_invalid');
      expect(await codeOf(runIn(folder, { module: join(folder, 'none.ts') }))).to.equal(
        'input_missing',
      );
      const module = join(folder, 'empty.ts');
      writeFileSync(module, 'export const something = 1;\n');
      expect(await codeOf(runIn(folder, { module }))).to.equal('input_invalid');
      // nothing was lost by it
      const { trials } = await runIn(folder, { trials: 3 });
      expect(trials.map(({ state }) => state)).to.deep.equal(Array(3).fill('COMPLETE'));
    }));
});

describe('stopping a run', () => {
  it('once: finishes what runs, starts nothing', () =>
    inFolder(async (folder) => {
      const gate = join(folder, 'gate');
      const log = join(folder, 'log');
      const stop = createStopSwitch();
      const running = runIn(folder, { trials: 20, task: { gate, log }, stop });
      while (!existsSync(log) || begun(log).length < 2) await delay(5);
      expect(stop.press()).to.equal('finish');
      writeFileSync(gate, '');
      const result = await running;
      expect(result).to.include({ ended: 'stopped', finishedHere: 2 });
      expect(result.trials.map(({ state }) => state)).to.deep.equal(['COMPLETE', 'COMPLETE']);
    }));

  it('once at the terminal: the signal that all processes get ends none that evaluates', () =>
    inFolder(async (folder) => {
      const [gate, log] = [join(folder, 'gate'), join(folder, 'log')];
      const program = projectPath('test', 'hpo', 'run', 'interruptedRun.ts');
      const changes = JSON.stringify({ trials: 20, task: { gate, log } });
      // a group of its own, as a shell gives to a command
      const run = spawn(process.execPath, [program, folder, changes], {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      });
      const said = text(run.stdout);
      while (!existsSync(log) || begun(log).length < 2) await delay(5);
      process.kill(-run.pid!, 'SIGINT');
      await delay(50);
      writeFileSync(gate, '');
      expect(JSON.parse(await said)).to.deep.equal({
        ended: 'stopped',
        states: ['COMPLETE', 'COMPLETE'],
      });
    }));

  it('twice: stops now, keeps what is finished, and runs the others again next time', () =>
    inFolder(async (folder) => {
      const gate = join(folder, 'gate');
      const log = join(folder, 'log');
      const stop = createStopSwitch();
      await runIn(folder, { trials: 2 });
      const running = runIn(folder, { trials: 6, task: { gate, log }, stop });
      while (!existsSync(log) || begun(log).length < 2) await delay(5);
      stop.press();
      expect(stop.press()).to.equal('now');
      const stopped = await running;
      expect(stopped).to.include({ ended: 'aborted', finishedHere: 0 });
      const states = stopped.trials.map(({ state }) => state);
      expect(states).to.deep.equal(['COMPLETE', 'COMPLETE', 'RUNNING', 'RUNNING']);
      for (const line of readFileSync(log, 'utf8').trim().split('\n')) {
        const pid = Number(line.split(' ')[1]);
        expect(() => process.kill(pid, 0)).to.throw();
      }
      const again = await runIn(folder, { trials: 6 });
      expect(again).to.include({ ended: 'done', finishedHere: 4, reclaimed: 2 });
      expect(again.trials.every(({ state }) => isFinished(state))).to.equal(true);
      expect(again.trials).to.have.length(6);
    }));
});
