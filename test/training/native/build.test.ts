import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { inputsOf, isBuilt, stampOf } from '../../../training/native/buildStamp.ts';
import { builtLightgbmPath, builtSluicePath } from '../../../training/native/index.ts';
import { prepareTree } from '../../../training/native/nativeBuild.ts';

const cpuVersions = { lightgbm_version: null };

describe('the native build', () => {
  let into: string;
  beforeEach(() => {
    into = mkdtempSync(join(tmpdir(), 'sluice-native-'));
  });
  afterEach(() => {
    rmSync(into, { recursive: true });
  });

  const build = (env: Readonly<Record<string, string>>, ...options: string[]) =>
    spawnSync(
      process.execPath,
      [projectPath('training', 'native', 'build.ts'), '--into', into, ...options],
      { encoding: 'utf8', env: { ...process.env, ...env } },
    );
  const library = () => join(into, 'lib_lightgbm.so');
  /** Only LightGBM is to be built: the engine stands there. */
  const placeEngine = () => {
    copyFileSync(builtSluicePath(), join(into, 'libsluice.so'));
    const stamp = stampOf(into, 'libsluice', inputsOf('libsluice', null), cpuVersions);
    writeFileSync(join(into, 'libsluice.json'), JSON.stringify(stamp));
  };

  it('uses a library that was named, and a second run does nothing', () => {
    placeEngine();
    const first = build({}, '--no-cuda', '--lightgbm', builtLightgbmPath());
    expect({ status: first.status, out: first.stdout }).to.deep.equal({ status: 0, out: '' });
    expect(readlinkSync(library())).to.equal(builtLightgbmPath());
    const stampTime = statSync(join(into, 'lib_lightgbm.json')).mtimeMs;
    const second = build({ PATH: '' }, '--no-cuda', '--lightgbm', builtLightgbmPath());
    expect({ status: second.status, err: second.stderr }).to.deep.equal({ status: 0, err: '' });
    expect(statSync(join(into, 'lib_lightgbm.json')).mtimeMs).to.equal(stampTime);
  });

  it('does not take a library that is no LightGBM', () => {
    const { status, stderr } = build({}, '--no-cuda', '--lightgbm', process.execPath);
    expect(status).to.equal(1);
    expect(stderr).to.match(/not a LightGBM 4 library/);
    expect(existsSync(library())).to.equal(false);
  });

  it('begins a build tree anew where the checkout has been moved', () => {
    const tree = join(into, 'tree');
    prepareTree(tree);
    writeFileSync(join(tree, 'object.o'), '');
    const cache = join(tree, 'CMakeCache.txt');
    writeFileSync(cache, `CMAKE_CACHEFILE_DIR:INTERNAL=${tree}\n`);
    prepareTree(tree);
    expect(readdirSync(tree)).to.have.members(['CMakeCache.txt', 'object.o']);
    writeFileSync(cache, 'CMAKE_CACHEFILE_DIR:INTERNAL=/elsewhere/tree\n');
    prepareTree(tree);
    expect(readdirSync(tree)).to.deep.equal([]);
  });

  it('begins a build tree anew for another CUDA compiler', () => {
    const tree = join(into, 'tree');
    prepareTree(tree, 'nvcc 1');
    writeFileSync(join(tree, 'object.o'), '');
    prepareTree(tree, 'nvcc 1');
    expect(readdirSync(tree)).to.include('object.o');
    prepareTree(tree, 'nvcc 2');
    expect(readdirSync(tree)).to.not.include('object.o');
  });

  it('names the Debian packages of tools that are missing, in one sentence', () => {
    const { status, stderr } = build({ PATH: into }, '--no-cuda');
    expect(status).to.equal(1);
    expect(stderr.trim().split('\n')).to.have.length(1);
    expect(stderr).to.match(/apt-get install cmake make g\+\+ npm tar$/m);
  });

  it('needs neither npm nor tar where the source of LightGBM lies unpacked', () => {
    mkdirSync(join(into, 'lightgbm-1.0.27'));
    const { stderr } = build({ PATH: into }, '--no-cuda');
    expect(stderr).to.match(/apt-get install cmake make g\+\+$/m);
  });

  it('believes no library that has changed, lost its stamp, or was made from something else', () => {
    copyFileSync(builtLightgbmPath(), library());
    const stamp = join(into, 'lib_lightgbm.json');
    writeFileSync(
      stamp,
      JSON.stringify(stampOf(into, 'lib_lightgbm', 'these inputs', cpuVersions)),
    );
    expect(isBuilt(into, 'lib_lightgbm', 'these inputs')).to.equal(true);
    expect(isBuilt(into, 'lib_lightgbm', 'other inputs')).to.equal(false);
    truncateSync(library(), 1_000_000);
    expect(isBuilt(into, 'lib_lightgbm', 'these inputs')).to.equal(false);
    copyFileSync(builtLightgbmPath(), library());
    rmSync(stamp);
    expect(isBuilt(into, 'lib_lightgbm', 'these inputs')).to.equal(false);
  });
});
