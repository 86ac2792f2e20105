import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { projectPath } from '../../core/index.ts';

const run = (script: string, args: string[]) => {
  const result = spawnSync(process.execPath, [projectPath(script), ...args], {
    cwd: projectPath(),
    encoding: 'utf8',
  });
  return { status: result.status, output: `${result.stdout}${result.stderr}` };
};

describe('the checkers', () => {
  it('find no type error', () => {
    const { status, output } = run('node_modules/typescript/bin/tsc', ['--noEmit']);
    expect(output).to.equal('');
    expect(status).to.equal(0);
  });

  it('find no lint warning and no unformatted file', () => {
    const { status, output } = run('node_modules/@biomejs/biome/bin/biome', [
      'check',
      '--error-on-warnings',
    ]);
    expect(status, output).to.equal(0);
  });
});
