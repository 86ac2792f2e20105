// A search as its users see it, on a simulated market: three stages, the same for any number of workers, stopped and
// gone on with, shown and exported.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { projectPath, readJson } from '../../core/index.ts';
import { openStorage } from '../../hpo/storage/index.ts';
import { smallConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { documentOf, type Ended, sluice, start } from './sluice.ts';

/** A trial as commands print it; its times are no part of what is found. */
interface Shown {
  readonly stage: string;
  readonly number: number;
  readonly value: number;
  readonly params: Readonly<Record<string, number>>;
}

interface Found {
  readonly ended: string;
  readonly stage: string;
  readonly study: string;
  readonly trial_count: number;
  readonly top: readonly Shown[];
  readonly candidates: readonly unknown[];
}

describe('the command line: hpo', function () {
  this.timeout(600_000);
  let folder: string;
  let config: string;
  let undisturbed: Found;

  const args = (out: string, ...more: readonly string[]) => [
    ...['hpo', 'run', '--config', config, '--out', join(folder, out), '--json'],
    ...['--deterministic', '--no-progress', ...more],
  ];
  const found = (ended: Ended): Found => {
    expect(ended.exit, ended.stderr).to.equal(0);
    const document = documentOf(ended) as unknown as Found;
    const timeless = (trial: object) => ({ ...trial, started_at: 0, completed_at: 0 });
    return { ...document, top: document.top.map(timeless) as unknown as Found['top'] };
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-hpo-'));
    writeConfig(folder, smallConfig(), 'base.json');
    const search = readJson(projectPath('configs', 'hpo.json')) as Record<string, object>;
    config = writeConfig(
      folder,
      {
        ...search,
        base: 'base.json',
        sampler: { startup_trials: 4, candidates: 8 },
        pruner: { kind: 'median', startup_trials: 3, warmup_steps: 1 },
        coarse: { ...search.coarse, trials: 8, folds: 2 },
        refine: { ...search.refine, trials: 6, folds: 2, taken_up: 2 },
        confirm: { taken_up: 1 },
      },
      'search.json',
    );
    undisturbed = found(await sluice(...args('one', '--workers', '1')));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('runs all stages, counts all trials, and makes no candidate of simulated data', () => {
    expect([undisturbed.ended, undisturbed.stage]).to.deep.equal(['done', 'confirm']);
    expect(undisturbed.candidates).to.deep.equal([]);
    const stages = new Set(undisturbed.top.map(({ stage }) => stage));
    expect([...stages]).to.deep.equal(['confirm', 'refine', 'coarse']);
    // 8 + 6 + 1, and those that were put to the coarse window afterwards
    expect(undisturbed.trial_count).to.be.within(15, 17);
  });

  it('finds the same with two workers, after a stop in the middle, and after a kill', async () => {
    const two = found(await sluice(...args('two', '--workers', '2')));
    expect(two).to.deep.equal(undisturbed);
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const out = join(folder, signal);
      const running = start(args(signal, '--workers', '2'));
      await finishedTrials(join(out, 'hpo', 'optuna_liquid.db'), 3);
      running.child.kill(signal);
      const ended = await running.ended;
      if (signal === 'SIGINT') expect(found(ended).ended).to.equal('stopped');
      const resumed = await sluice('hpo', 'resume', '--out', out, '--workers', '2', '--json');
      expect(found(resumed), signal).to.deep.equal(undisturbed);
    }
  });

  it('goes on with what is there: a search that is done runs no trial twice', async () => {
    const again = found(await sluice(...args('one', '--workers', '1')));
    expect(again).to.deep.equal(undisturbed);
  });

  it('shows the best, exports every trial, and writes a report', async () => {
    const out = join(folder, 'one');
    const top = documentOf(await sluice('hpo', 'top', '--out', out, '--count', '1', '--json'));
    expect((top.top as Shown[]).map(({ stage }) => stage)).to.deep.equal([
      'confirm',
      'refine',
      'coarse',
    ]);
    const csv = await sluice('hpo', 'export', '--out', out);
    const lines = csv.stdout.trimEnd().split('\n');
    expect(lines).to.have.length(undisturbed.trial_count + 1);
    expect(lines[0]!.split(',').slice(0, 5)).to.deep.equal([
      ...['stage', 'study', 'number', 'state', 'value'],
    ]);
    expect(lines[0]).to.contain('gbdt.leaves').and.to.contain('pnl_after_cost');
    const exported = documentOf(await sluice('hpo', 'export', '--out', out, '--format', 'json'));
    expect(exported.trials).to.have.length(undisturbed.trial_count);
    const report = documentOf(await sluice('hpo', 'report', '--out', out, '--json'));
    expect(report.trial_count).to.equal(undisturbed.trial_count);
    expect(readFileSync(String(report.html), 'utf8')).to.contain(undisturbed.study);
  });

  it('says what to do where there is no search', async () => {
    const out = join(folder, 'nothing');
    mkdirSync(out);
    const ended = await sluice('hpo', 'resume', '--out', out, '--json');
    expect(ended.exit).to.equal(2);
    expect(documentOf(ended).error).to.have.property('code', 'input_missing');
    expect(ended.stderr).to.contain('npx sluice hpo run');
  });
});

/** Waits until a storage has so many finished trials. */
async function finishedTrials(path: string, count: number): Promise<void> {
  for (;;) {
    if ((await countFinished(path)) >= count) return;
    await wait(50);
  }
}

async function countFinished(path: string): Promise<number> {
  try {
    const storage = await openStorage(path);
    try {
      const [study] = await storage.listStudies();
      const trials = study === undefined ? [] : await storage.readTrials(study.id, -1, []);
      return trials.filter(({ state }) => state !== 'RUNNING' && state !== 'WAITING').length;
    } finally {
      await storage.close();
    }
  } catch {
    return 0; // the command has not made it yet
  }
}
