// What a run says whose trees shall grow on a GPU that is not there.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { gpuTools } from '../../training/native/index.ts';
import { skipLoudly } from '../skipLoudly.ts';
import { smallConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { sluice } from './sluice.ts';

describe('the command line: trees on cuda', function () {
  this.timeout(60_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-trees-on-cuda-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const config = () => {
    const small = smallConfig();
    return writeConfig(folder, { ...small, gbdt: { ...small.gbdt, device: 'cuda' } });
  };

  it('end at once, in one sentence, where there is no library or no GPU', async function () {
    const { tsmixer, lightgbm } = gpuTools({});
    const isGpu = lightgbm !== false && tsmixer !== false && !('error' in tsmixer);
    if (isGpu) skipLoudly(this, 'here is a GPU');
    const ended = await sluice('retrain', '--config', config(), '--out', join(folder, 'out'));
    expect(ended.exit).to.be.greaterThan(0);
    expect(ended.stderr).to.match(/Trees on cuda are not reproducible/);
    expect(ended.stderr).to.match(
      /(make native-cuda|could not train on the GPU).*\[tool_missing\]/,
    );
    expect(ended.stderr).to.not.match(/^bars/m);
  });

  it('are not verified to be reproducible', async () => {
    const ended = await sluice('verify-reproducible', '--config', config(), '--out', folder);
    expect(ended.exit).to.equal(2);
    expect(ended.stderr).to.match(/cannot be verified with gbdt\.device cuda.*config_invalid/);
  });
});
