// The GPU check, where there is no GPU: on the emulated one, and on libraries that are made to compute wrongly.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { networks, type Place, tinyNetworks } from '../../bench/gpu/cases.ts';
import { lookAtDeterminism } from '../../bench/gpu/determinism.ts';
import { countGpus } from '../../bench/gpu/driver.ts';
import { floorShares, stepBytes, stepFlop } from '../../bench/gpu/floors.ts';
import { lookAtFp32, lookAtTf32 } from '../../bench/gpu/parity.ts';
import { createProtocol, type Finding, type Protocol, pass } from '../../bench/gpu/protocol.ts';
import { lookAtTrees } from '../../bench/gpu/trees.ts';
import { projectPath } from '../../core/index.ts';
import {
  builtLightgbmPath,
  findSluice,
  type NativeTsmixerConfig,
  type NativeTsmixerMember,
} from '../../training/native/index.ts';
import { emulatedSluice } from '../../training/native/nativeBuild.ts';
import { skipLoudly } from '../skipLoudly.ts';

function gpuCheck(...args: string[]) {
  const script = projectPath('bench', 'gpu.ts');
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
}

const quiet = (): Protocol =>
  createProtocol(
    () => {},
    () => {},
  );
const failed = ({ findings }: Protocol): string[] =>
  findings.filter(({ verdict }) => verdict === 'FAIL').map(({ name }) => name);

const cpu: Place = { library: findSluice(), precision: 'fp32', threads: 0 };

/** The CPU engine under other orders than were given. */
function flawed(
  change: (
    config: NativeTsmixerConfig,
    member: NativeTsmixerMember,
  ) => Partial<NativeTsmixerConfig & NativeTsmixerMember>,
): Place {
  const { library } = cpu;
  const createTsmixer: typeof library.createTsmixer = (config, members) => {
    const changes = change(config, members[0]!);
    const others = members.map((member) => ({ ...member, ...changes }));
    return library.createTsmixer({ ...config, ...changes }, others);
  };
  return { ...cpu, library: { ...library, createTsmixer } };
}

describe('the GPU check', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('passes on the emulated GPU, and keeps what it found', async function () {
    this.timeout(600_000); // the emulated GPU may have to be compiled
    const library = await emulatedSluice();
    const only = 'parity,determinism,speed,sanitizer';
    const { status, stdout, stderr } = gpuCheck(
      ...['--tiny', '--quick', '--library', library, '--only', only],
      ...['--out', folder, '--python', join(folder, 'no python')],
    );
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(/PASS {2}determinism tf32: everything: stopped and resumed/);
    expect(readdirSync(folder)).to.deep.equal(['gpu-emulated-gpu.json']);
    const path = join(folder, 'gpu-emulated-gpu.json');
    expect(stdout)
      .to.match(/desk x 1, tf32: .* model-steps\/s/)
      .and.to.include(path);
    const document = JSON.parse(readFileSync(path, 'utf8')) as {
      readonly findings: readonly Finding[];
    };
    expect(document).to.include({ bench: 'gpu', complete: true, size: 'tiny', failed: 0 });
    expect(document).to.have.nested.property('speed[0].step_ms.median').that.is.greaterThan(0);
    const steps = new Set(document.findings.map(({ step }) => step));
    expect([...steps]).to.include.members(['parity tf32 and fp32', 'determinism fp32', 'speed']);
  });

  it('says in one sentence that there is no GPU, writes nothing, and has an exit code for it', function () {
    if (countGpus() > 0) skipLoudly(this, 'here is a GPU');
    const { status, stdout, stderr } = gpuCheck('--out', join(folder, 'results'));
    expect(status).to.equal(3);
    expect(stdout).to.equal('');
    expect(stderr.trim().split('\n')).to.have.length(1);
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('has the steps that its page tells of', () => {
    const { stdout } = gpuCheck('--help');
    const steps = /--only STEPS +of ([\w,]+);/.exec(stdout)![1]!.split(',');
    const page = readFileSync(projectPath('docs', 'gpu.md'), 'utf8');
    const table = page.slice(page.indexOf('| step |')).split('\n\n')[0]!;
    const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, step]) => step);
    expect(rows).to.deep.equal(steps);
    for (const [, option] of page.matchAll(/ARGS='?(--\w+)/g)) {
      const program = option === '--lightgbm' ? projectPath('bench', 'gpuPack.ts') : null;
      expect(program === null ? stdout : readFileSync(program, 'utf8')).to.include(option);
    }
  });

  it('refuses a step that it does not have', () => {
    const { status, stderr } = gpuCheck('--only', 'parity,luck');
    expect(status).to.equal(2);
    expect(stderr).to.match(/no step luck/);
  });
});

describe('what the GPU check looks at', () => {
  const [desk] = tinyNetworks;

  const flaws: readonly (readonly [string, Place, readonly string[]])[] = [
    ['none', cpu, []],
    ['other masks', flawed((_, { seed }) => ({ seed: seed + 1 })), ["desk: dropout's masks"]],
    ['a wrong first moment', flawed(() => ({ beta1: 0.8 })), ['desk: 20 steps, gelu']],
    [
      'another loss',
      flawed(() => ({ teacher: 0.6 })),
      ['gradient, gelu', 'gradient, relu', '20 steps, gelu', "dropout's masks"].map(
        (name) => `desk: ${name}`,
      ),
    ],
  ];
  for (const [flaw, looked, expected] of flaws) {
    it(`fails where it should and nowhere else, with this flaw: ${flaw}`, async () => {
      const protocol = quiet();
      await lookAtFp32(protocol, { looked, believed: cpu }, [desk!]);
      expect(failed(protocol)).to.deep.equal(expected);
      expect(protocol.findings).to.have.length(5);
    });
  }

  it('fails where tf32 was asked for and fp32 came', async () => {
    const protocol = quiet();
    await lookAtTf32(protocol, { looked: cpu, believed: cpu }, [desk!]);
    expect(failed(protocol)).to.deep.equal(['desk: products are rounded to TF32']);
  });

  it('fails where a run is not repeated', async () => {
    let calls = 0;
    const protocol = quiet();
    const place = flawed((_, { seed }) => ({ seed: seed + calls++ }));
    await lookAtDeterminism(protocol, place, [], true);
    expect(failed(protocol)).to.have.length(3);
    const sound = quiet();
    await lookAtDeterminism(sound, cpu, [desk!], true);
    expect(failed(sound)).to.deep.equal([]);
    expect(sound.findings).to.have.length(6);
  });

  it('looks at trees of two libraries, and says which one is not built', async () => {
    const protocol = quiet();
    const learner = { path: builtLightgbmPath(), device: 'cpu' } as const;
    await lookAtTrees(protocol, [learner, learner], 1000, 20);
    expect(protocol.findings.map(({ verdict }) => verdict)).to.deep.equal(['PASS', 'PASS']);
    const without = quiet();
    await lookAtTrees(without, [learner, { path: '/nowhere.so', device: 'cuda' }], 10, 1);
    expect(without.findings.map(({ verdict }) => verdict)).to.deep.equal(['SKIP', 'SKIP']);
    expect(without.findings[0]!.detail).to.equal('not built: /nowhere.so');
  });

  it('turns what is thrown into a failure and goes on', async () => {
    const said: string[] = [];
    const protocol = createProtocol(
      (line) => said.push(line),
      () => {},
    );
    await protocol.look('step', 'thing', () => {
      throw new Error('no luck');
    });
    await protocol.look('step', 'next', () => pass('fine'));
    expect(said[0]).to.match(/^FAIL {2}step: thing: no luck/);
    expect(said[1]).to.match(/^PASS {2}step: next: fine/);
  });

  it('counts the operations and the bytes of a step', () => {
    // 256 samples of 4 blocks: 64 x 64 x 32 and twice 64 x 32 x 64 products of two operations, three times; and the head
    const flop = 3 * 256 * (4 * (2 * 64 * 64 * 32 + 2 * 2 * 64 * 32 * 64) + 2 * 64 * 32);
    expect(stepFlop(networks[0]!)).to.equal(flop);
    const parameters = 4 * (4 * 64 * 32 + 64 * 64 + 64 + 2 * 64 * 32 + 64 + 32) + 64 * 32 + 1;
    expect(stepBytes(networks[0]!)).to.equal(4 * (256 * (64 * 32 + 1) + 6 * parameters));
    const rates = { tf32_tflops: 1, fp32_tflops: 1, copy_gbytes_per_s: 1 };
    const shares = floorShares(networks[0]!, 2, 10, rates);
    expect(shares.arithmetic_floor_ms).to.be.closeTo((2 * flop) / 1e9, 1e-9);
    expect(shares.share_of_arithmetic).to.be.closeTo(shares.arithmetic_floor_ms / 10, 1e-12);
  });
});
