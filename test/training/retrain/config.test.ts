import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath, SluiceError } from '../../../core/index.ts';
import { candidateCount, configDigest } from '../../../training/retrain/config.ts';
import { type RetrainConfig, readRetrainConfig } from '../../../training/retrain/index.ts';
import { neuralConfig, smallConfig, writeConfig } from './smallConfig.ts';

type Json = Record<string, unknown>;

/** Paths of all leaves of a JSON value: a number, string, boolean or null. */
function leavesOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]));
}

/** A copy with one leaf changed to another value of its kind. */
function flipped(config: RetrainConfig, path: readonly string[]): RetrainConfig {
  const copy = structuredClone(config);
  const parent = path.slice(0, -1).reduce((at, key) => at[key] as Json, copy as unknown as Json);
  const leaf = path.at(-1)!;
  parent[leaf] = changed(parent[leaf]);
  return copy;
}

function changed(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  return value === null ? 1 : `${String(value)}x`;
}

describe('retrain: config', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function refusalOf(change: (config: Json) => void): SluiceError {
    const config = structuredClone(smallConfig()) as unknown as Json;
    change(config);
    try {
      readRetrainConfig(writeConfig(folder, config));
    } catch (error) {
      if (error instanceof SluiceError) return error;
    }
    throw new Error('the config was accepted');
  }

  it('reads the committed config and resolves every default', () => {
    const config = readRetrainConfig(projectPath('configs', 'default.json'));
    expect(config.gbdt).to.include({ objective: 'regression', threads: 0, device: 'cpu' });
    expect(readRetrainConfig(writeConfig(folder, config))).to.deep.equal(config);
  });

  it('names the nearest key for an unknown one, at any depth', () => {
    const top = refusalOf((config) => {
      config.sead = 7;
    });
    expect(top.code).to.equal('config_invalid');
    expect(top.message).to.contain('top level: unknown key "sead", did you mean "seed"?');
    const deep = refusalOf((config) => {
      const { cost } = config.trade as { cost: Json };
      (cost.fee_bps as Json).takr = 4;
    });
    expect(deep.message).to.contain(
      'trade.cost.fee_bps: unknown key "takr", did you mean "taker"?',
    );
  });

  it('collects every violation at once', () => {
    const error = refusalOf((config) => {
      (config.windows as Json).validation_frac = 1.5;
      (config.folds as Json).purged_k = 1;
      config.name = 'Upper Case';
    });
    expect(error.context.violations).to.have.length(3);
    expect(error.message).to.contain('windows.validation_frac').and.to.contain('folds.purged_k');
  });

  it('refuses what is no JSON, and a file that is not there', () => {
    const path = join(folder, 'broken.json');
    writeFileSync(path, '{"name": ');
    expect(() => readRetrainConfig(path)).to.throw(SluiceError, path);
    expect(() => readRetrainConfig(join(folder, 'none.json'))).to.throw(SluiceError, 'none.json');
  });

  it('has a digest that changes with every leaf but those of the machine: threads, and the network’s device and precision', () => {
    const config = neuralConfig();
    const before = configDigest(config);
    const leaves = leavesOf(config);
    expect(leaves.length).to.be.above(90);
    const ignored = leaves
      .filter((path) => configDigest(flipped(config, path)) === before)
      .map((path) => path.join('.'));
    expect(ignored.sort()).to.deep.equal([
      'baseline.threads',
      'gbdt.threads',
      'tsmixer.device',
      'tsmixer.precision',
      'tsmixer.threads',
    ]);
  });

  it('takes a config without a network, and names what is wrong with one', () => {
    expect(readRetrainConfig(writeConfig(folder, smallConfig())).tsmixer).to.equal(null);
    const error = refusalOf((config) => {
      const { tsmixer } = neuralConfig();
      config.tsmixer = { ...tsmixer, teacher_lambdas: [0.5, 0.5], channls: [], seeds: 0 };
      config.ensemble = { alphas: [0.5, 1] };
    });
    expect(error.context.violations).to.have.length(4);
    expect(error.message)
      .to.contain('tsmixer: unknown key "channls", did you mean "channels"?')
      .and.to.contain('tsmixer.teacher_lambdas: must be distinct')
      .and.to.contain('tsmixer.seeds')
      .and.to.contain('ensemble.alphas.1');
  });

  it('counts what a run compares on validation: the trees, each lambda, each alpha', () => {
    expect(candidateCount(smallConfig())).to.equal(1);
    const config = neuralConfig();
    expect(candidateCount(config)).to.equal(1 + 2 + 2);
    expect(candidateCount({ ...config, ensemble: { alphas: [0.5] } })).to.equal(1 + 2 + 1);
  });

  it('has one digest for one config, however its keys are ordered', () => {
    const config = smallConfig();
    const reversed = Object.fromEntries(Object.entries(config).reverse()) as RetrainConfig;
    expect(configDigest(reversed)).to.equal(configDigest(config));
  });
});
