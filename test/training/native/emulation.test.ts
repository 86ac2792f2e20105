// The emulated GPU itself (training/native/sluice/cuda/emulation.h): kernels that are right run silently and give the same
// bytes in every schedule, and each planted flaw is reported for what it is, in every schedule.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { findNvcc } from '../../../training/native/cudaToolkit.ts';

const sources = projectPath('training', 'native', 'sluice');
const program = join(sources, 'cuda', 'emulation_check.cu');
const seeds = [0, 1, 2, 3, 4, 5, 6, 7];

/** What each case of emulation_check.cu must tell, whatever the schedule. */
const flaws: Readonly<Record<string, RegExp>> = {
  'no barrier':
    /reads word \d+ of shared memory, which nobody has written|word \d+ of shared memory, which thread \d+ (wrote|read) without a barrier/,
  'no barrier after reading':
    /word \d+ of shared memory, which thread \d+ (read|wrote) without a barrier between/,
  'agreeing writers':
    /(reads|writes) word 0 of shared memory, which (thread \d+|several threads) (wrote|read) without a barrier/,
  'beyond shared memory': /thread 63 writes word 64 of shared memory, which has 64 words/,
  'beyond device memory':
    /block \d, thread (63|0) writes word \d+ of device memory \d+ .*(which has 384 words|which another block of the launch wrote)/,
  'unwritten shared memory': /thread 6 reads word 7 of shared memory, which nobody has written/,
  'two barriers': /waits at a barrier while others wait at/,
  'writer among readers':
    /writes word 0 of shared memory, which several threads read without a barrier/,
  'threads end':
    /ends while others wait at the barrier|waits at a barrier that threads which have ended never reach/,
  'one round more': /waits at a barrier while others wait at/,
  'two blocks write':
    /writes word 0 of device memory \d+ .*, which another block of the launch wrote/,
  'two blocks, one reads':
    /(reads|writes) word 5 of device memory \d+ .*, which (nobody has written|another block of the launch (wrote|read))/,
  'all blocks read, one writes':
    /(reads|writes) word 6 of device memory \d+ .*, which another block of the launch (wrote|read)/,
  'lanes stay away':
    /waits at a barrier while others of its warp wait|exchanges in a warp of which others wait at the barrier/,
  'lanes end':
    /ends while others (of its warp )?wait at|(exchanges in a warp of which others|waits at a barrier that threads which) have ended/,
  'two exchanges': /exchanges in a warp of which others wait at/,
  'half of a warp': /exchanges with the lanes 0x0000ffff only, not with all of its warp/,
  misaligned:
    /thread 8 reads words 9 to 12 of shared memory, which is not aligned: no multiple of 4/,
  'no rounding': /an operand that is no TF32 number: to_tf32 is missing/,
  swapped: /^wrong /,
  freed: /writes word \d+ of device memory \d+ .*, which has been freed/,
  null: /reads memory at an address that is null or that nobody allocated/,
  'unwritten output':
    /a copy to the host reads word 128 of device memory \d+ .*, which nobody has written/,
  'much shared memory': /wants 65540 bytes of shared memory, and 65536 are allowed/,
  'too much shared memory': /233472 bytes of shared memory: a block has 232448 at most/,
  'many threads': /has 1056 threads a block: 1 to 1024 are possible/,
  'half a warp of threads': /has 48 threads a block: no whole warps/,
  'waited in a capture': /a stream that captures was waited for/,
  'pinned, not waited for': /^wrong /,
  'copied too early': /a copy to the host reads word 0 of .*, which nobody has written/,
  'freed twice': /freed is what was not allocated, or has been freed before/,
  'too far': /a memset of 1536 bytes at byte 4 of device memory \d+ .*, which has 1536 bytes/,
  'no device': /no device is here/,
  small: /^emulated GPU 8\.0, 1000 bytes$/,
  'too small': /out of memory: 1001 bytes are wanted, 0 of 1000 are taken/,
  'small enough': /^no error$/,
  lives: /^1000$/,
  'little shared memory': /233472 bytes of shared memory: a block has 101376 at most/,
};
const right = [
  'turned',
  'summed',
  'reversed',
  'multiplied',
  'replayed',
  'pinned',
  'copied after',
  'all shared memory',
];

describe('the emulated GPU', function () {
  this.timeout(300_000);
  let folder: string;
  let built: string;
  let told: Map<string, string>[];

  const compile = (compiler: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(compiler, ['-std=c++17', '-I', sources, ...args], {
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);
  };
  const run = (...args: string[]) => spawnSync(built, args, { encoding: 'utf8', timeout: 60_000 });
  const outcomes = (seed: number) => {
    const { status, stdout, stderr } = run(String(seed));
    expect(status, stdout + stderr).to.equal(0);
    const lines = stdout.trimEnd().split('\n');
    return new Map(lines.map((line) => line.split('\t') as [string, string]));
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-emulation-'));
    built = join(folder, 'check');
    const emulation = join(sources, 'cuda', 'emulation.cpp');
    const strict = ['-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas'];
    compile(
      'g++',
      '-O1',
      ...strict,
      '-DSLU_EMULATED',
      '-x',
      'c++',
      program,
      emulation,
      '-o',
      built,
    );
    told = seeds.map(outcomes);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('gives the expected numbers and the same bytes in every schedule', () => {
    for (const name of right) {
      const all = new Set(told.map((one) => one.get(name)));
      expect([...all], name).to.have.lengthOf(1);
      expect([...all][0]).to.match(/^right [0-9a-f]{16}$/);
    }
  });

  for (const [name, sentence] of Object.entries(flaws)) {
    it(`finds in every schedule: ${name}`, () => {
      for (const [seed, one] of told.entries())
        expect(one.get(name), `seed ${seed}`).to.match(sentence);
    });
  }

  it('tells nothing that is not expected here', () => {
    const names = [...told[0]!.keys()].filter((name) => !name.includes(' without '));
    expect(names).to.have.members([...right, ...Object.keys(flaws)]);
  });

  it('misses each barrier that a kernel needs, and only those', () => {
    for (const one of told) {
      const missed = [...one].filter(([name]) => name.startsWith('turned without '));
      const faults = missed.filter(([, outcome]) => /without a barrier between/.test(outcome));
      const others = missed.filter(([, outcome]) => outcome === one.get('turned'));
      expect(faults).to.have.lengthOf(2); // between writing and reading, and between reading and writing
      expect(others).to.have.lengthOf(missed.length - 2);
    }
  });

  it('repeats a schedule by its seed, and draws others for others', () => {
    expect([...outcomes(3)]).to.deep.equal([...told[3]!]);
    expect(new Set(told.map((one) => one.get('no barrier'))).size).to.be.greaterThan(1);
  });

  it('ends a program whose host reads or writes device memory', () => {
    const { signal, stderr } = run('0', 'touch');
    expect(signal).to.equal('SIGABRT');
    expect(stderr).to.match(
      /the host touches device memory 1 .*; only kernels may \(emulation_check\.cu:\d+\)/,
    );
  });

  it('is written in the words of CUDA: nvcc takes the same kernels', function () {
    const nvcc = findNvcc(process.env);
    if (nvcc === null) this.skip(); // there is no CUDA toolkit here
    compile(nvcc.path, '-c', '-arch=sm_90', program, '-o', join(folder, 'check.o'));
  });
});
