// What the build decides about libraries for GPUs, with compilers of our own making.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { inputsOf, type NativeName, stampOf } from '../../../training/native/buildStamp.ts';
import { findNvcc, nvccVersion } from '../../../training/native/cudaToolkit.ts';
import { builtLightgbmPath, builtSluicePath } from '../../../training/native/index.ts';
import { wantedLibraries } from '../../../training/native/wantedLibrary.ts';

let folder: string;
/** Gives each test of a group a folder of its own. */
function inFolder(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-cuda-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
}

/** Puts a program in place of nvcc. @returns its path */
function compiler(place: string, script = 'exit 0'): string {
  const path = join(folder, place, 'nvcc');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('the search for nvcc', () => {
  inFolder();

  it('takes the one that CUDACXX names, else CUDA_HOME, else PATH, else the usual place', () => {
    const named = compiler('named');
    const home = compiler('home/bin');
    const inPath = compiler('path');
    const usual = compiler('usual');
    const find = (env: Parameters<typeof findNvcc>[0]) => findNvcc(env, dirname(usual))?.path;
    const all = {
      CUDACXX: named,
      CUDA_HOME: join(folder, 'home'),
      PATH: `/none:${dirname(inPath)}`,
    };
    expect(find(all)).to.equal(named);
    expect(find({ ...all, CUDACXX: 'nvcc' })).to.equal(inPath);
    expect(find({ ...all, CUDACXX: '' })).to.equal(home);
    expect(find({ PATH: all.PATH })).to.equal(inPath);
    expect(find({ PATH: '/none' })).to.equal(usual);
    expect(find({})).to.equal(usual);
  });

  it('finds none where none can be run, and does not look past a CUDACXX that is wrong', () => {
    const usual = compiler('usual');
    chmodSync(usual, 0o644);
    mkdirSync(join(folder, 'path', 'nvcc'), { recursive: true });
    expect(findNvcc({ PATH: join(folder, 'path') }, dirname(usual))).to.equal(null);
    chmodSync(usual, 0o755);
    expect(findNvcc({ CUDACXX: '/nowhere/nvcc' }, dirname(usual))).to.equal(null);
  });

  it('knows another compiler at the same path, without asking it', () => {
    const path = compiler('path', `touch ${folder}/asked`);
    const found = () => findNvcc({ CUDACXX: path })!.identity;
    const first = found();
    expect(found()).to.equal(first);
    utimesSync(path, 1, 1);
    expect(found()).to.not.equal(first);
    expect(existsSync(join(folder, 'asked'))).to.equal(false);
  });

  it('reads its version', () => {
    const path = compiler('path', "echo 'Cuda compilation tools, release 13.0, V13.0.88'");
    expect(nvccVersion(path)).to.equal('13.0.88');
    expect(nvccVersion(compiler('other', 'echo nothing'))).to.equal(null);
    expect(nvccVersion('/nowhere/nvcc')).to.equal(null);
  });
});

describe('the libraries that are built', () => {
  inFolder();

  const nvcc = { path: '/cuda/bin/nvcc', identity: 'cuda 1' };
  const request = { lightgbm: null, cuda: 'if possible', emulated: false, nvcc } as const;
  const names = (changes: Partial<Parameters<typeof wantedLibraries>[0]>) =>
    wantedLibraries({ ...request, ...changes }).map(
      ({ name, optional }) => `${name}${optional ? '?' : ''}`,
    );

  it('are those of the CPU, and the engine for GPUs where nvcc is, which may fail', () => {
    expect(names({})).to.deep.equal(['lib_lightgbm', 'libsluice', 'libsluice_cuda?']);
    expect(names({ nvcc: null })).to.deep.equal(['lib_lightgbm', 'libsluice']);
    expect(names({ cuda: false })).to.deep.equal(['lib_lightgbm', 'libsluice']);
  });

  it('are all four when GPUs are asked for, and none of them may fail', () => {
    const all = ['lib_lightgbm', 'libsluice', 'libsluice_cuda', 'lib_lightgbm_cuda'];
    expect(names({ cuda: true })).to.deep.equal(all);
    expect(names({ cuda: true, nvcc: null })).to.deep.equal(all);
  });

  it('are the emulated engine alone for tests', () => {
    expect(names({ emulated: true })).to.deep.equal(['libsluice_emulated']);
  });

  it('are made anew only after a change in their own files', () => {
    cpSync(projectPath('training', 'native'), folder, { recursive: true });
    const digests = () =>
      Object.fromEntries(
        (
          [
            'lib_lightgbm',
            'libsluice',
            'libsluice_cuda',
            'libsluice_emulated',
            'lib_lightgbm_cuda',
          ] satisfies NativeName[]
        ).map((name) => [name, inputsOf(name, null, null, folder)]),
      );
    const changedBy = (file: string) => {
      const before = digests();
      appendFileSync(join(folder, file), '\n');
      const after = digests();
      return Object.keys(before).filter((name) => before[name] !== after[name]);
    };
    expect(changedBy('sluice/cpu/kernels.cpp')).to.deep.equal(['libsluice']);
    expect(changedBy('sluice/cuda/device.h')).to.have.members([
      'libsluice_cuda',
      'libsluice_emulated',
    ]);
    expect(changedBy('sluice/cuda/emulation.h')).to.deep.equal(['libsluice_emulated']);
    expect(changedBy('sluice/half.h')).to.have.members([
      'libsluice',
      'libsluice_cuda',
      'libsluice_emulated',
    ]);
    expect(changedBy('lightgbm/CMakeLists.txt')).to.deep.equal(['lib_lightgbm']);
    expect(changedBy('lightgbmCuda/CMakeLists.txt')).to.deep.equal(['lib_lightgbm_cuda']);
  });

  it('are made anew by another nvcc if nvcc makes them', () => {
    const other = { ...nvcc, identity: 'cuda 2' };
    const inputs = (with_: typeof nvcc) =>
      wantedLibraries({ ...request, nvcc: with_ }).map(({ inputs }) => inputs);
    const [one, two] = [inputs(nvcc), inputs(other)];
    expect(one.slice(0, 2)).to.deep.equal(two.slice(0, 2));
    expect(one[2]).to.not.equal(two[2]);
  });
});

describe('the native build for GPUs', function () {
  this.timeout(60_000); // CMake looks at its compilers
  inFolder();

  const build = (env: Readonly<Record<string, string>>, ...options: string[]) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [projectPath('training', 'native', 'build.ts'), '--into', folder, ...options],
      { encoding: 'utf8', env: { ...process.env, ...env } },
    );
    return { status, lines: stderr.split('\n').filter((line) => line !== '') };
  };
  /** A library that stands there, as if built from what is here now. */
  const place = (name: NativeName, file: string, nvcc: string | null = null) => {
    copyFileSync(file, join(folder, `${name}.so`));
    const found = nvcc === null ? null : findNvcc({ CUDACXX: nvcc });
    const stamp = stampOf(folder, name, inputsOf(name, null, found), { lightgbm_version: null });
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(stamp));
  };
  const placeCpu = () => {
    place('lib_lightgbm', builtLightgbmPath());
    place('libsluice', builtSluicePath());
  };

  it('is not missed where there is no nvcc', () => {
    placeCpu();
    expect(build({ CUDACXX: '/nowhere/nvcc' })).to.deep.equal({ status: 0, lines: [] });
  });

  it('says what is missing when it is asked for by name', () => {
    placeCpu();
    const { status, lines } = build({ CUDACXX: '/nowhere/nvcc' }, '--cuda');
    expect(status).to.be.greaterThan(0);
    expect(lines).to.have.length(1);
    expect(lines[0]).to.match(/nvcc.*not found.*CUDA toolkit/);
  });

  it('asks nvcc nothing when everything stands', () => {
    placeCpu();
    const path = compiler('bin', `touch ${folder}/asked`);
    place('libsluice_cuda', builtSluicePath(), path);
    expect(build({ CUDACXX: path, PATH: '' })).to.deep.equal({ status: 0, lines: [] });
    expect(existsSync(join(folder, 'asked'))).to.equal(false);
  });

  it('fails nothing for those who train on the CPU: it says why in two lines, once', () => {
    placeCpu();
    const path = compiler(
      'bin',
      `[ "$1" = --version ] && echo 'release 13.0, V13.0.88' && exit 0
      echo x >> ${folder}/asked
      echo 'nvcc fatal   : no licence' >&2
      exit 1`,
    );
    const asked = () => existsSync(join(folder, 'asked'));
    writeFileSync(join(folder, 'libsluice_cuda.so'), 'made of older files');
    const first = build({ CUDACXX: path });
    expect(first.status).to.equal(0);
    expect(first.lines).to.have.length(3);
    expect(first.lines[1]).to.match(/GPU half was not built, and networks train on the CPU: /);
    expect(first.lines[2]).to.match(/native-cuda.*libsluice_cuda\.log/);
    expect(existsSync(join(folder, 'libsluice_cuda.so'))).to.equal(false);
    expect(asked()).to.equal(true);
    rmSync(join(folder, 'asked'));
    expect(build({ CUDACXX: path })).to.deep.equal({ status: 0, lines: [] });
    expect(asked()).to.equal(false);
    expect(build({ CUDACXX: path }, '--cuda').status).to.be.greaterThan(0);
    expect(asked()).to.equal(true);
  });

  it('names a compiler that is too old, or none', () => {
    placeCpu();
    const old = compiler('old', "echo 'release 11.8, V11.8.89'");
    expect(build({ CUDACXX: old }).lines[0]).to.match(/CUDA 12 or later.*11\.8\.89/);
    const none = compiler('none');
    const { status, lines } = build({ CUDACXX: none }, '--cuda');
    expect(status).to.be.greaterThan(0);
    expect(lines).to.have.length(1);
    expect(lines[0]).to.match(/says none/);
  });
});

describe('the corrections of LightGBM for GPUs', function () {
  this.timeout(60_000); // CMake looks at its compilers
  inFolder();

  const wrong = '(missing_type == 2 && bin == max_bin)';
  const right = '(missing_type == 2 && bin == max_bin - min_bin + offset)';
  /** Configures our project on a source of which there is no more than is corrected. */
  const configure = (text: string) => {
    const source = join(folder, 'source');
    const file = join('src', 'io', 'cuda', 'cuda_tree.cu');
    mkdirSync(dirname(join(source, file)), { recursive: true });
    writeFileSync(join(source, file), text);
    writeFileSync(join(source, 'one.cpp'), '');
    const lists = [
      'project(lightgbm LANGUAGES CXX)',
      `add_library(lightgbm_objs OBJECT "\${CMAKE_CURRENT_SOURCE_DIR}/${file}" one.cpp)`,
      'add_library(_lightgbm SHARED one.cpp)',
    ];
    writeFileSync(join(source, 'CMakeLists.txt'), lists.join('\n'));
    const project = projectPath('training', 'native', 'lightgbmCuda');
    const tree = join(folder, 'tree');
    const { status, stderr } = spawnSync(
      'cmake',
      ['-S', project, '-B', tree, `-DLIGHTGBM_SOURCE=${source}`],
      { encoding: 'utf8' },
    );
    const corrected = join(tree, 'corrected', file);
    return { status, stderr, text: status === 0 ? readFileSync(corrected, 'utf8') : null };
  };

  it('change the one place, in a copy', () => {
    const before = `if (a[i]; "\\n" || ${wrong}) {\n`;
    expect(configure(before).text).to.equal(before.replace(wrong, right));
    expect(readFileSync(join(folder, 'source/src/io/cuda/cuda_tree.cu'), 'utf8')).to.equal(before);
  });

  it('fail where the place is not there, or there twice', () => {
    for (const text of [`if (${right}) {\n`, `${wrong} ${wrong}`]) {
      const { status, stderr } = configure(text);
      expect(status).to.be.greaterThan(0);
      expect(stderr).to.match(/cuda_tree\.cu of LightGBM is not the one/);
    }
  });
});
