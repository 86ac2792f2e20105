// Same data, same config, same code: same bytes.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { neuralConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { contentOf, documentOf, sluice } from './sluice.ts';

describe('the command line: reproducibility', function () {
  this.timeout(300_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-reproducible-test-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('finds one artifact digest for 1, 2 and 3 threads, network and all: the one that retrain makes', async () => {
    const config = writeConfig(folder, neuralConfig());
    const common = ['--config', config, '--as-of', '2026-01-31', '--json', '--no-progress'];
    const verified = await sluice(
      'verify-reproducible',
      ...common,
      '--out',
      join(folder, 'unused'),
    );
    expect(verified.exit, verified.stderr).to.equal(0);
    const { ok, threads, digests } = documentOf(verified) as Record<string, unknown[]>;
    expect({ ok, threads }).to.deep.equal({ ok: true, threads: [1, 2, 3] });
    expect(new Set(digests).size).to.equal(1);
    expect(readdirSync(folder), 'it works in folders of its own').to.deep.equal(['config.json']);

    const out = join(folder, 'out');
    const retrained = documentOf(await sluice('retrain', ...common, '--out', out));
    expect((retrained.artifact as { digest: string }).digest).to.equal(digests![0]);
    expect(contentOf(join(out, 'models')).size).to.equal(6 + 7); // of the baseline and of the ensemble
  });
});
