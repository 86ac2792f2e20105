import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { folder, header, importInto, removeFolders, row, writeLines } from './tables.ts';

describe('an import killed with SIGKILL', () => {
  afterEach(removeFolders);

  it('leaves no bars, and the next import sweeps what it had prepared', async () => {
    const out = folder();
    const file = writeLines([header, row(0), row(1)]);
    for (const stage of ['read', 'sort', 'scan', 'write']) {
      const script = projectPath('test', 'data', 'market', 'importChild.ts');
      const child = spawnSync(process.execPath, [script, file, out, stage], { encoding: 'utf8' });
      expect(child.signal, child.stderr).to.equal('SIGKILL');
      expect(readdirSync(out).filter((name) => !name.startsWith('.'))).to.deep.equal([]);
    }
    expect(readdirSync(out)).to.have.length(1);
    const report = await importInto(file, { out });
    expect(report.rows).to.equal(2);
    expect(readdirSync(out)).to.deep.equal([report.data_version]);
  });
});
