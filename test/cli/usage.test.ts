// Bad usage, config and input: exit code 2, one sentence, nothing left behind.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { errorRegistry } from '../../core/index.ts';
import { neuralConfig, smallConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { documentOf, filesBelow, sluice } from './sluice.ts';

const errorSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(errorRegistry) as [keyof typeof errorRegistry]),
    message: z.string().min(10),
    context: z.record(z.string(), z.unknown()),
  }),
});

describe('the command line: bad usage', function () {
  this.timeout(60_000);
  let folder: string;
  let out: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-usage-'));
    out = join(folder, 'out');
    writeConfig(folder, smallConfig());
    writeConfig(folder, { ...smallConfig(), sead: 7 }, 'unknown-key.json');
    const { tsmixer, ...neural } = neuralConfig();
    const misspelt = { ...tsmixer, channels: ['log_retrun_1'] };
    writeConfig(folder, { ...neural, tsmixer: misspelt }, 'unknown-channel.json');
    const onCuda = { ...smallConfig().gbdt, device: 'cuda' };
    writeConfig(folder, { ...smallConfig(), gbdt: onCuda }, 'trees-on-cuda.json');
    const data = join(folder, 'data', 'market');
    mkdirSync(data, { recursive: true });
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(data, 'bars.csv'), '');
    const { data: named, ...config } = smallConfig();
    writeConfig(
      folder,
      { ...config, data: { ...named, files: ['market/bars.csv'] } },
      'empty-file.json',
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  interface Refusal {
    readonly title: string;
    readonly args: readonly string[];
    readonly code: keyof typeof errorRegistry;
    readonly says: RegExp;
  }
  const retrain = (...args: string[]) => ['retrain', '--out', 'OUT', '--no-progress', ...args];
  const refusals: readonly Refusal[] = [
    { title: 'no command', args: [], code: 'bad_usage', says: /--help/ },
    {
      title: 'an unknown command',
      args: ['retrian'],
      code: 'bad_usage',
      says: /retrian.*retrain/s,
    },
    { title: 'an unknown option', args: retrain('--sede', '7'), code: 'bad_usage', says: /--sede/ },
    {
      title: 'a bad number',
      args: retrain('--seed', 'x'),
      code: 'bad_usage',
      says: /--seed.*number/,
    },
    {
      title: 'a number out of range',
      args: retrain('--threads', '0'),
      code: 'bad_usage',
      says: /positive whole number/,
    },
    {
      title: 'a bad time',
      args: retrain('--as-of', 'noon'),
      code: 'bad_usage',
      says: /2026-01-31/,
    },
    {
      title: 'an unknown run source',
      args: retrain('--run-source', 'live'),
      code: 'bad_usage',
      says: /prod, maintenance, smoke, async_test/,
    },
    {
      title: 'a missing option',
      args: ['artifact', 'verify', 'x'],
      code: 'bad_usage',
      says: /--key/,
    },
    {
      title: 'a missing config file',
      args: retrain('--config', 'FOLDER/none.json'),
      code: 'input_missing',
      says: /none\.json/,
    },
    {
      title: 'a config with an unknown key',
      args: retrain('--config', 'FOLDER/unknown-key.json'),
      code: 'config_invalid',
      says: /unknown key "sead", did you mean "seed"/,
    },
    {
      title: 'an unknown engine',
      args: ['train', 'tsmixer', '--engine', 'torch', '--out', 'OUT'],
      code: 'bad_usage',
      says: /--engine.*native, tfjs/,
    },
    {
      title: 'an unknown device',
      args: retrain('--device', 'gpu'),
      code: 'bad_usage',
      says: /--device.*cpu, cuda, auto/,
    },
    {
      title: 'an unknown precision',
      args: ['train', 'tsmixer', '--precision', 'fp16', '--out', 'OUT'],
      code: 'bad_usage',
      says: /--precision.*tf32, fp32/,
    },
    {
      title: 'a precision that a CPU does not have',
      args: retrain('--precision', 'tf32'),
      code: 'bad_usage',
      says: /A CPU computes in fp32/,
    },
    {
      title: 'a device that is not TensorFlow.js’s to choose',
      args: ['train', 'tsmixer', '--engine', 'tfjs', '--device', 'cuda', '--out', 'OUT'],
      code: 'bad_usage',
      says: /engine native/,
    },
    {
      title: 'a device for no network',
      args: retrain('--config', 'FOLDER/config.json', '--device', 'cuda'),
      code: 'bad_usage',
      says: /tsmixer is null.*gbdt\.device/,
    },
    {
      title: 'a comparison of what cannot be made again',
      args: ['verify-reproducible', '--config', 'FOLDER/trees-on-cuda.json', '--out', 'OUT'],
      code: 'config_invalid',
      says: /gbdt\.device/,
    },
    {
      title: 'a training without a network in the config',
      args: ['train', 'tsmixer', '--config', 'FOLDER/config.json', '--out', 'OUT'],
      code: 'config_invalid',
      says: /tsmixer section; found null/,
    },
    {
      title: 'a channel that is no feature',
      args: ['train', 'tsmixer', '--config', 'FOLDER/unknown-channel.json', '--out', 'OUT'],
      code: 'config_invalid',
      says: /tsmixer\.channels: no feature "log_retrun_1", did you mean "log_return_1"/,
    },
    {
      title: 'a seed that no generator takes',
      args: retrain('--config', 'FOLDER/config.json', '--seed', '1.5'),
      code: 'out_of_range',
      says: /seed.*1\.5/,
    },
    {
      title: 'a data folder without the file that the config names',
      args: retrain('--config', 'FOLDER/config.json', '--data', 'FOLDER/empty'),
      code: 'input_missing',
      says: /config names 1 file.*ohlcv_1h_spot_btc_eth_2018_2024_trades\.csv\.gz/,
    },
    {
      title: 'an empty CSV file',
      args: retrain('--config', 'FOLDER/empty-file.json', '--data', 'FOLDER/data'),
      code: 'input_invalid',
      says: /bars\.csv/,
    },
    {
      title: 'a report of a run that is not there',
      args: ['report', 'nothing', '--out', 'OUT'],
      code: 'input_missing',
      says: /nothing\.json/,
    },
    {
      title: 'an artifact folder that is not there',
      args: ['artifact', 'inspect', 'FOLDER/none'],
      code: 'input_missing',
      says: /FOLDER\/none|none/,
    },
    {
      title: 'an out folder below a file',
      args: ['retrain', '--config', 'FOLDER/config.json', '--out', 'FOLDER/config.json/out'],
      code: 'input_missing',
      says: /config\.json\/out/,
    },
  ];

  for (const { title, args, code, says } of refusals) {
    it(`refuses ${title} with one sentence: ${code}`, async () => {
      const words = args.map((arg) => arg.replace('FOLDER', folder).replace('OUT', out));
      const ended = await sluice(...words, ...(args.length === 0 ? [] : ['--json']));
      expect(ended.exit, ended.stderr).to.equal(2);
      const lines = ended.stderr.trimEnd().split('\n');
      expect(lines.at(-1)).to.match(new RegExp(`\\[${code}\\]$`));
      expect(ended.stderr).to.match(says);
      expect(ended.stderr).to.not.match(/^\s+at /m);
      if (args.length === 0) return;
      const { error } = errorSchema.parse(documentOf(ended));
      expect(error.code).to.equal(code);
      expect(ended.stderr).to.contain(error.message);
    });
  }

  it('left nothing of any of them but the empty database', () => {
    const left = filesBelow(out).filter((path) => !path.startsWith(join(out, 'db')));
    expect(left.filter((path) => !path.startsWith(join(out, 'keys')))).to.deep.equal([]);
    expect(existsSync(join(out, 'models'))).to.equal(false);
  });

  it('ends before any work where there is no GPU to train on, and says what is missing', async () => {
    const place = join(folder, 'no-gpu');
    const visible = process.env.CUDA_VISIBLE_DEVICES;
    process.env.CUDA_VISIBLE_DEVICES = '-1';
    try {
      const ended = await sluice('train', 'tsmixer', '--device', 'cuda', '--out', place, '--json');
      expect(ended.exit, ended.stderr).to.equal(1);
      const { error } = errorSchema.parse(documentOf(ended));
      expect(error.code).to.equal('tool_missing');
      expect(error.message).to.match(/make native|GPU/);
      expect(existsSync(place)).to.equal(false);
    } finally {
      if (visible === undefined) delete process.env.CUDA_VISIBLE_DEVICES;
      else process.env.CUDA_VISIBLE_DEVICES = visible;
    }
  });

  it('prints help with an example for every command, exit code 0', async () => {
    const whole = await sluice('--help');
    expect(whole.exit).to.equal(0);
    expect(whole.stdout).to.contain('Exit codes: 0 done or pass');
    const names = [
      'doctor',
      'retrain',
      'verify-reproducible',
      'backtest',
      'gate',
      'serve',
      'report',
    ];
    const groups = [
      'data import',
      'data simulate',
      'train tsmixer',
      ...['keygen', 'sign', 'verify', 'inspect'].map((n) => `artifact ${n}`),
    ];
    const helps = await Promise.all(
      [...names, ...groups].map(
        async (name) => [name, await sluice(...name.split(' '), '--help')] as const,
      ),
    );
    for (const [name, help] of helps) {
      expect(help.exit, name).to.equal(0);
      expect(help.stderr, name).to.equal('');
      expect(help.stdout, name).to.contain(`Example:\n  npx sluice ${name}`);
    }
  });
});
