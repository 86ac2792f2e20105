import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { publishFolder, readJson, sweepStaging, writeFileAtomic } from '../../core/index.ts';

describe('files that appear whole', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('writes a file and leaves no staging file behind', () => {
    const path = join(folder, 'deep', 'a.txt');
    writeFileAtomic(path, 'one');
    writeFileAtomic(path, 'two');
    expect(readFileSync(path, 'utf8')).to.equal('two');
    expect(readdirSync(join(folder, 'deep'))).to.deep.equal(['a.txt']);
  });

  it('keeps the old file if the new one cannot be written', () => {
    const path = join(folder, 'a');
    writeFileAtomic(path, 'one');
    expect(() => writeFileAtomic(join(path, 'b'), 'two')).to.throw();
    expect(readFileSync(path, 'utf8')).to.equal('one');
  });

  it('publishes a folder whole', async () => {
    const place = join(folder, 'model');
    await publishFolder(place, async (staging) => writeFileSync(join(staging, 'x'), '1'));
    expect(readdirSync(folder)).to.deep.equal(['model']);
  });

  it('publishes nothing if building fails', async () => {
    const place = join(folder, 'model');
    const failed = await publishFolder(place, async (staging) => {
      writeFileSync(join(staging, 'x'), '1');
      throw new Error('stop');
    }).catch((error: Error) => error.message);
    expect(failed).to.equal('stop');
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('refuses a place that is taken and leaves what is there', async () => {
    const place = join(folder, 'model');
    await publishFolder(place, async (staging) => writeFileSync(join(staging, 'x'), '1'));
    const failed = await publishFolder(place, async () => 1).catch((error) => error.code);
    expect(failed).to.equal('io_failed');
    expect(readFileSync(join(place, 'x'), 'utf8')).to.equal('1');
  });

  it('sweeps what killed processes left, and nothing of living ones', () => {
    const dead = join(folder, '.model.staging-999999999');
    const living = join(folder, `.model.staging-${process.ppid}`);
    writeFileSync(dead, '');
    writeFileSync(living, '');
    writeFileSync(join(folder, 'model'), '');
    sweepStaging(folder);
    expect(existsSync(dead)).to.equal(false);
    expect(existsSync(living)).to.equal(true);
    expect(existsSync(join(folder, 'model'))).to.equal(true);
  });

  it('says which file is missing or is not JSON', () => {
    const path = join(folder, 'a.json');
    expect(() => readJson(path))
      .to.throw(path)
      .with.property('code', 'input_missing');
    writeFileSync(path, '{"a":');
    expect(() => readJson(path))
      .to.throw(path)
      .with.property('code', 'input_invalid');
  });
});
