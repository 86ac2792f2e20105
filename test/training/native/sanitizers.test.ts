// The engine's check program (training/native/sluice/check.cpp) under the compiler's sanitizers.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { prepareTree } from '../../../training/native/nativeBuild.ts';

/** Runs a program and expects it to end well. @returns what it printed */
function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  expect(status, `${program} ${args.join(' ')}\n${stdout}\n${stderr}`).to.equal(0);
  return stdout;
}

describe('the native engine under sanitizers', function () {
  this.timeout(900_000); // they are compiled on their first run

  for (const sanitizers of ['address,undefined', 'thread']) {
    it(`is sound: ${sanitizers}`, () => {
      const tree = projectPath('build', 'native', 'cmake', `check-${sanitizers.replace(',', '-')}`);
      prepareTree(tree);
      const source = projectPath('training', 'native', 'sluice');
      run('cmake', '-S', source, '-B', tree, `-DSANITIZE=${sanitizers}`);
      run('cmake', '--build', tree, '--parallel', String(availableParallelism()));
      expect(run(join(tree, 'check'))).to.match(/^portable: sound|^neon: sound/);
    });
  }
});
