// A machine that lets no more threads begin. In a process of its own, whose room for them is taken away.

import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';

const room = projectPath('test', 'training', 'native');
const program = `
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findSluice } from '../../../training/native/index.ts';
import { configOf, member, randomCase } from './engineCase.ts';
const library = findSluice();
const create = (threads) =>
  library.createTsmixer({ ...configOf(randomCase(1)), threads }, [member()]).free();
const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]);
spawnSync('prlimit', ['--pid', String(process.pid), '--as=' + (pages * 4096 + 2 ** 28)]);
try {
  create(4096);
} catch (error) {
  console.log(error.code);
}
create(1);
console.log('goes on');
`;

describe('libsluice on a machine that lets no more threads begin', () => {
  it('refuses the handle, and makes one with fewer', () => {
    const args = ['--input-type=module-typescript', '-e', program];
    const options = { cwd: room, encoding: 'utf8', timeout: 30_000 } as const;
    const { stdout, stderr } = spawnSync(process.execPath, args, options);
    expect(stdout, stderr).to.equal('native_failed\ngoes on\n');
  }).timeout(40_000);
});
