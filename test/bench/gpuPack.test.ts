import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../core/index.ts';

describe('the archive for a GPU machine without a network', () => {
  it('unpacks into an empty folder and runs there on the Node that it carries', function () {
    this.timeout(300_000);
    const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    const run = (program: string, args: string[], cwd = folder) =>
      spawnSync(program, args, { cwd, encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
    try {
      const archive = join(folder, 'sluice-gpu.tar.xz');
      const pack = spawnSync(
        process.execPath,
        [projectPath('bench', 'gpuPack.ts'), '--level', '0', '--out', archive],
        { encoding: 'utf8' },
      );
      expect(pack.status, pack.stderr).to.equal(0);
      expect(run('tar', ['xf', archive]).status).to.equal(0);
      const there = join(folder, 'sluice-gpu');
      const help = run('node_modules/.bin/node', ['bench/gpu.ts', '--help'], there);
      expect(help.stderr).to.equal('');
      expect(help.stdout).to.match(/^usage: node bench\/gpu\.ts/);
      // make sees what it needs, and would not ask npm for it
      const asked = run('make', ['-n', 'gpu-check'], there);
      expect(asked.stdout.trim()).to.equal('node bench/gpu.ts');
      expect(readdirSync(there)).to.include.members(['packed.json', 'training', 'Makefile']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
