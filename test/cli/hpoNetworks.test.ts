// A search of networks as its users see it, on a simulated market.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath, readJson } from '../../core/index.ts';
import { neuralConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { documentOf, sluice } from './sluice.ts';

interface Exported {
  readonly stage: string;
  readonly state: string;
  readonly reports: readonly unknown[];
  readonly user_attributes: Readonly<Record<string, unknown>>;
}

describe('the command line: hpo of networks', function () {
  this.timeout(600_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-hpo-'));
    const base = neuralConfig();
    const data = { ...base.data, simulator: { ...base.data.simulator, days: 400 } };
    const tsmixer = { ...base.tsmixer, seeds: 1 };
    writeConfig(folder, { ...base, data, tsmixer }, 'base.json');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The committed search of networks with few trials. @returns its path */
  const configOf = (name: string, space: object = {}): string => {
    const path = projectPath('configs', 'hpo_tsmixer.json');
    const search = readJson(path) as Record<'space' | 'coarse' | 'refine', object>;
    const { 'tsmixer.hidden': _, ...rest } = search.space as Record<string, unknown>;
    const change = {
      base: 'base.json',
      space: {
        ...rest,
        'tsmixer.hidden': { kind: 'categorical', choices: [4, 6] },
        'trade.sizing.entry_score': { kind: 'float', low: 0.0002, high: 0.002, log: true },
        ...space,
      },
      sampler: { startup_trials: 4, candidates: 8 },
      pruner: { kind: 'median', startup_trials: 2, warmup_steps: 0 },
      ...{ batch: 3, window: 6 },
      coarse: { ...search.coarse, trials: 12, folds: 2 },
      refine: { ...search.refine, trials: 6, folds: 2, taken_up: 2 },
      confirm: { taken_up: 1 },
    };
    return writeConfig(folder, { ...search, ...change }, `${name}.json`);
  };
  const search = async (config: string, out: string, workers: string) =>
    sluice(
      ...['hpo', 'run', '--config', config, '--out', join(folder, out), '--workers', workers],
      ...['--deterministic', '--no-progress', '--json'],
    );
  const exported = async (out: string): Promise<readonly Exported[]> => {
    const at = join(folder, out);
    const ended = await sluice('hpo', 'export', '--out', at, '--format', 'json', '--json');
    const trials = documentOf(ended).trials as (Exported & object)[];
    return trials.map((trial) => ({ ...trial, started_at: 0, completed_at: 0 }));
  };

  it('runs all stages, prunes members of a batch one by one, and is the same for two processes', async () => {
    const config = configOf('search');
    const one = await search(config, 'one', '1');
    expect(one.exit, one.stderr).to.equal(0);
    expect(documentOf(one)).to.include({ ended: 'done', stage: 'confirm' });
    const trials = await exported('one');
    expect(new Set(trials.map(({ stage }) => stage)).size).to.equal(3);
    const states = trials.map(({ state }) => state);
    expect(states).to.include('PRUNED').and.to.include('COMPLETE').and.to.not.include('FAIL');
    for (const { state, reports } of trials.filter(({ state: s }) => s === 'PRUNED')) {
      expect(reports, state).to.have.length(1);
    }
    expect(trials.every(({ user_attributes: { engine } }) => typeof engine === 'string')).to.equal(
      true,
    );
    const two = await search(config, 'two', '2');
    expect(two.exit, two.stderr).to.equal(0);
    expect(await exported('two')).to.deep.equal(trials);
  });

  it('says why, and fails, where no trial of a stage could be evaluated', async () => {
    const wild = { kind: 'float', low: 5, high: 10 };
    const rate = { kind: 'float', low: 0.9, high: 1 };
    const config = configOf('wild', {
      'tsmixer.weight_decay': wild,
      'tsmixer.learning_rate': rate,
    });
    const ended = await search(config, 'wild', '1');
    expect(ended.exit).to.equal(2);
    const { error } = documentOf(ended) as { error: { code: string; message: string } };
    expect(error.code).to.equal('input_invalid');
    expect(error.message)
      .to.contain('All 12 trials of the stage coarse failed')
      .and.to.contain('at most 1 times its weight decay');
  });

  it('refuses a stage whose symbols lack a channel of the network before anything is read', async () => {
    const path = configOf('lacking');
    const config = readJson(path) as { coarse: object };
    const base = readJson(join(folder, 'base.json')) as { tsmixer: { channels: string[] } };
    base.tsmixer.channels = ['market_return_1'];
    writeConfig(folder, base, 'across.json');
    const lacking = { ...config, base: 'across.json', coarse: { ...config.coarse, symbols: 1 } };
    const ended = await search(writeConfig(folder, lacking, 'lacking.json'), 'lacking', '1');
    expect(ended.exit).to.equal(2);
    expect(ended.stderr).to.contain('coarse.symbols: the channel market_return_1');
  });
});
