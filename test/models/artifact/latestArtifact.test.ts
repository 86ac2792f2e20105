import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { latestArtifactFolder, writeLatestArtifact } from '../../../models/artifact/index.ts';

describe('latest.json', () => {
  let out: string;
  beforeEach(() => {
    out = mkdtempSync(join(tmpdir(), 'sluice-latest-'));
  });
  afterEach(() => rmSync(out, { recursive: true }));

  const name = (version: string, promoted: boolean) => {
    mkdirSync(join(out, 'models', 'm', version), { recursive: true });
    writeLatestArtifact(
      out,
      { path: `models/m/${version}`, digest: version.repeat(64).slice(0, 64) },
      promoted,
    );
  };

  it('names the latest artifact while none was promoted', () => {
    name('1', false);
    name('2', false);
    expect(latestArtifactFolder(out)).to.equal(join(out, 'models/m/2'));
  });

  it('keeps naming the promoted one after later runs that promoted nothing', () => {
    name('1', true);
    name('2', false);
    expect(latestArtifactFolder(out)).to.equal(join(out, 'models/m/1'));
    name('3', true);
    expect(latestArtifactFolder(out)).to.equal(join(out, 'models/m/3'));
  });

  it('says what to do where nothing was published, and refuses what is not its own', () => {
    expect(() => latestArtifactFolder(out))
      .to.throw('run retrain')
      .with.property('code', 'input_missing');
    writeFileSync(join(out, 'latest.json'), '{"latest":1}');
    expect(() => latestArtifactFolder(out))
      .to.throw()
      .with.property('code', 'input_invalid');
  });
});
