// The build itself: lock, tools, source, compilers. A library appears by a rename when it is whole, and its stamp after
// it, so what a killed build leaves is never believed.

import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import {
  asSluiceError,
  projectPath,
  SluiceError,
  stagingPath,
  writeFileAtomic,
} from '../../core/index.ts';
import {
  failureIn,
  halfOf,
  isLightgbm,
  libraryIn,
  lightgbmPackage,
  type NativeName,
  projectOf,
  stampIn,
  stampOf,
} from './buildStamp.ts';
import { type Nvcc, nvccVersion } from './cudaToolkit.ts';
import { findLightgbm } from './lightgbmLibrary.ts';
import { lightgbmSource, sourceTools } from './lightgbmSource.ts';
import { findSluice } from './sluiceLibrary.ts';
import { isSettled, type WantedLibrary, wantedLibraries } from './wantedLibrary.ts';

/** Says one line to the person who waits. */
export type Say = (line: string) => void;

/**
 * Builds the libraries, or puts a link to one that was named in its place. A second build of the same library waits.
 * @throws SluiceError `tool_missing` | `native_failed` | `io_failed` | `input_invalid`; not for an optional library
 */
export async function buildNative(
  into: string,
  wanted: readonly WantedLibrary[],
  say: Say,
): Promise<void> {
  needNvcc(wanted);
  mkdirSync(into, { recursive: true });
  for (const library of wanted) {
    if (isSettled(into, library)) continue;
    const lock = lockLibrary(into, library.name, say);
    try {
      // by the build that was waited for
      if (!isSettled(into, library)) await settle(into, library, lock, say);
    } finally {
      closeSync(lock);
    }
  }
}

async function settle(into: string, library: WantedLibrary, lock: number, say: Say): Promise<void> {
  try {
    await build(into, library, lock, say);
    rmSync(failureIn(into, library.name), { force: true });
  } catch (error) {
    if (!library.optional) throw error;
    noteFailure(into, library, error, say);
  }
}

/**
 * Builds the engine's GPU half for the CPU unless it stands. For tests.
 * @returns path of the library
 * @throws SluiceError as {@link buildNative}
 */
export async function emulatedSluice(): Promise<string> {
  const into = projectPath('build', 'native');
  const wanted = wantedLibraries({
    lightgbm: null,
    cuda: 'if possible',
    emulated: true,
    nvcc: null,
  });
  await buildNative(into, wanted, () => {});
  return libraryIn(into, 'libsluice_emulated');
}

async function build(into: string, library: WantedLibrary, lock: number, say: Say): Promise<void> {
  const { name, named } = library;
  if (named !== null) {
    publish(into, library, (staging) => symlinkSync(named, staging));
    say(`Using ${named}.`);
    return;
  }
  needTools(into, name);
  const built = await compile(into, library, lock, say);
  publish(into, library, (staging) => copyFileSync(built, staging));
  say(`Built ${libraryIn(into, name)}.`);
}

/** Tells why an optional library is not there, and keeps every later `make` from trying the same again. */
function noteFailure(
  into: string,
  { name, inputs }: WantedLibrary,
  thrown: unknown,
  say: Say,
): void {
  const { code, message, context } = asSluiceError(thrown);
  // what may stand there was made of something else
  for (const path of [stampIn(into, name), libraryIn(into, name)]) rmSync(path, { force: true });
  const reason = typeof context.reason === 'string' ? context.reason : message;
  say(`The engine's GPU half was not built, and networks train on the CPU: ${reason}`);
  say(
    `\`make native-cuda\` tries again; the compilers' words are in ${join(into, `${name}.log`)}.`,
  );
  // a tool that is missing now may be there next time
  if (code !== 'tool_missing') writeFileAtomic(failureIn(into, name), inputs);
}

/**
 * Takes the kernel's lock of a library, or of the source that both LightGBMs have; it is let go when it is closed here and
 * every compiler that holds it has ended.
 * @returns the lock's file descriptor, for children to hold
 */
function lockLibrary(into: string, name: NativeName, say: Say): number {
  const lock = openSync(join(into, `.lock-${isLightgbm(name) ? 'lightgbm' : name}`), 'a');
  const take = (...flags: string[]) =>
    spawnSync('flock', [...flags, '3'], { stdio: ['ignore', 'ignore', 'ignore', lock] }).status;
  if (take('-n') === 1) {
    say(`Another build of ${name} is at work; waiting for it.`);
    take();
  }
  return lock;
}

function needTools(into: string, name: NativeName): void {
  const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
  const wanted = ['cmake', 'make', 'g++', ...(isLightgbm(name) ? sourceTools(into) : [])];
  const missing = wanted.filter((program) => !has(program));
  if (missing.length > 0)
    throw new SluiceError(
      'tool_missing',
      `The native build needs ${missing.join(' and ')}; on Debian: apt-get install ${missing.join(' ')}`,
      { missing },
    );
}

function needNvcc(wanted: readonly WantedLibrary[]): void {
  const without = wanted.find(({ name, nvcc }) => name.endsWith('_cuda') && nvcc === null);
  if (without !== undefined)
    throw new SluiceError(
      'tool_missing',
      `${without.name} is made by nvcc, which was not found in $CUDACXX, $CUDA_HOME/bin, PATH or /usr/local/cuda/bin: install NVIDIA's CUDA toolkit 12 or later, or say where it is with CUDA_HOME.`,
      { missing: ['nvcc'] },
    );
}

/** LightGBM's CUDA code and ours need C++17 on the device and CUDA graphs as they are since then. */
const oldestCuda = 12;

/** Refuses a compiler that does not run, or is too old, in better words than CMake's. @returns its version */
function versionOf({ path }: Nvcc): string {
  const version = nvccVersion(path);
  if (version === null || Number.parseInt(version, 10) < oldestCuda)
    throw new SluiceError(
      'native_failed',
      `${path} must be the compiler of CUDA ${oldestCuda} or later; asked for its version it says ${version ?? 'none'}.`,
      { path, version },
    );
  return version;
}

/** @returns path of the library in the build tree */
async function compile(
  into: string,
  { name, nvcc }: WantedLibrary,
  lock: number,
  say: Say,
): Promise<string> {
  if (nvcc !== null) versionOf(nvcc);
  const options = [
    ...(name in halfOf ? [`-DHALF=${halfOf[name as keyof typeof halfOf]}`] : []),
    ...(isLightgbm(name) ? [`-DLIGHTGBM_SOURCE=${await lightgbmSource(into)}`] : []),
    ...(nvcc === null ? [] : [`-DCMAKE_CUDA_COMPILER=${nvcc.path}`]),
  ];
  const tree = join(into, 'cmake', name);
  const unfinished = join(into, `.unfinished-${name}`);
  // a killed compiler may leave half an object file that make would take for a whole one
  if (existsSync(unfinished)) rmSync(tree, { recursive: true, force: true });
  prepareTree(tree, nvcc?.identity);
  writeFileSync(unfinished, '');
  const log = join(into, `${name}.log`);
  writeFileSync(log, '');
  say(expectation[name]);
  const project = projectPath('training', 'native', projectOf[name]);
  await runLogged('cmake', ['-S', project, '-B', tree, ...options], log, lock);
  await runLogged('cmake', ['--build', tree, '--parallel', String(jobs(name))], log, lock);
  rmSync(unfinished);
  return join(tree, `${name}.so`);
}

/**
 * Makes a build tree, anew if CMake knows it by another path (the checkout has been moved or copied), or if another CUDA
 * compiler made it.
 */
export function prepareTree(tree: string, compiler: string = ''): void {
  const cache = join(tree, 'CMakeCache.txt');
  const mark = join(tree, '.compiler');
  const here = `CMAKE_CACHEFILE_DIR:INTERNAL=${tree}\n`;
  const moved = existsSync(cache) && !readFileSync(cache, 'utf8').includes(here);
  const former = existsSync(mark) ? readFileSync(mark, 'utf8') : '';
  if (moved || former !== compiler) rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  if (compiler !== '') writeFileSync(mark, compiler);
}

const expectation: Readonly<Record<NativeName, string>> = {
  lib_lightgbm: 'Building LightGBM: about 4 minutes on 2 cores, once.',
  libsluice: 'Building the TSMixer engine: less than a minute.',
  libsluice_cuda: 'Building the TSMixer engine for GPUs: some minutes, once.',
  libsluice_emulated: "Building the GPU's kernels for the CPU, for tests: some minutes, once.",
  lib_lightgbm_cuda: 'Building LightGBM for GPUs: about 10 minutes on 2 cores, once.',
};

/** One compiler per core, as far as memory reaches: g++ takes up to 1 GiB here, nvcc twice that. */
function jobs(name: NativeName): number {
  const gib = name.endsWith('_cuda') ? 2 : 1;
  return Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / 2 ** 30 / gib)));
}

function runLogged(
  program: string,
  args: readonly string[],
  log: string,
  lock: number,
): Promise<void> {
  const out = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', out, out, lock] });
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  child.once('error', reject);
  child.once('close', (code) => {
    if (code === 0) return done();
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    const tail = lines.slice(-15).join('\n');
    const reason =
      lines.find((line) => /\berror:|^nvcc fatal/i.test(line)) ??
      lines.find((line) => /\berror\b/i.test(line)) ??
      lines.at(-1);
    reject(
      new SluiceError('native_failed', `The native build failed; the end of ${log}:\n${tail}`, {
        log,
        reason,
      }),
    );
  });
  return promise;
}

/** Tries a library, then puts it in its place by a rename, and its stamp beside it. */
function publish(into: string, wanted: WantedLibrary, place: (staging: string) => void): void {
  const { name, named, inputs, nvcc } = wanted;
  const library = libraryIn(into, name);
  const staging = stagingPath(library);
  rmSync(staging, { force: true });
  place(staging);
  try {
    // one for GPUs loads without a driver as well
    if (isLightgbm(name)) findLightgbm(named ?? staging);
    else findSluice(staging);
  } catch (error) {
    rmSync(staging, { force: true });
    throw error;
  }
  rmSync(stampIn(into, name), { force: true });
  renameSync(staging, library);
  const stamp = stampOf(into, name, inputs, {
    lightgbm_version: isLightgbm(name) && named === null ? lightgbmPackage.lightgbmVersion : null,
    ...(nvcc !== null && { nvcc_version: versionOf(nvcc) }),
  });
  writeFileAtomic(stampIn(into, name), `${JSON.stringify(stamp, null, 2)}\n`);
}
