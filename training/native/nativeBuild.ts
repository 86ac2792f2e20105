// The build itself: lock, tools, source, compilers. A library appears by a rename when it is whole, and its stamp after
// it, so what a killed build leaves is never believed.

import { spawn, spawnSync } from 'node:child_process';
import {
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
import { projectPath, SluiceError, stagingPath, writeFileAtomic } from '../../core/index.ts';
import {
  isBuilt,
  libraryIn,
  lightgbmPackage,
  type NativeName,
  projectOf,
  stampIn,
  stampOf,
} from './buildStamp.ts';
import { findLightgbm } from './lightgbmLibrary.ts';
import { lightgbmSource } from './lightgbmSource.ts';
import { findSluice } from './sluiceLibrary.ts';

/** Says one line to the person who waits. */
export type Say = (line: string) => void;

/** A library that should stand in the build folder. */
export interface WantedLibrary {
  readonly name: NativeName;
  /** path of one that was built elsewhere; null = build it */
  readonly named: string | null;
  readonly inputs: string;
}

/**
 * Builds the libraries, or puts a link to one that was named in its place. A second build of the same folder waits.
 * @throws SluiceError `tool_missing` | `native_failed` | `io_failed` | `input_invalid`
 */
export async function buildNative(
  into: string,
  wanted: readonly WantedLibrary[],
  say: Say,
): Promise<void> {
  mkdirSync(into, { recursive: true });
  const lock = lockFolder(into, say);
  for (const library of wanted) {
    const { name, named, inputs } = library;
    if (isBuilt(into, name, inputs)) continue; // by the build that was waited for, or an earlier one
    if (named !== null) {
      publish(into, library, null, (staging) => symlinkSync(named, staging));
      say(`Using ${named}.`);
      continue;
    }
    needTools();
    const built = await compile(into, name, lock, say);
    const version = name === 'lib_lightgbm' ? lightgbmPackage.lightgbmVersion : null;
    publish(into, library, version, (staging) => copyFileSync(built, staging));
    say(`Built ${libraryIn(into, name)}.`);
  }
}

/**
 * Takes the kernel's lock of the folder; it is let go when this process and every compiler it started have ended.
 * @returns the lock's file descriptor, for children to hold
 */
function lockFolder(into: string, say: Say): number {
  const lock = openSync(join(into, '.lock'), 'a');
  const take = (...flags: string[]) =>
    spawnSync('flock', [...flags, '3'], { stdio: ['ignore', 'ignore', 'ignore', lock] }).status;
  if (take('-n') === 1) {
    say('Another build of the native libraries is at work; waiting for it.');
    take();
  }
  return lock;
}

function needTools(): void {
  const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
  const missing = ['cmake', 'make', 'g++', 'npm', 'tar'].filter((program) => !has(program));
  if (missing.length > 0)
    throw new SluiceError(
      'tool_missing',
      `The native build needs ${missing.join(' and ')}; on Debian: apt-get install ${missing.join(' ')}`,
      { missing },
    );
}

/** @returns path of the library in the build tree */
async function compile(into: string, name: NativeName, lock: number, say: Say): Promise<string> {
  const source = name === 'lib_lightgbm' ? [`-DLIGHTGBM_SOURCE=${await lightgbmSource(into)}`] : [];
  const tree = join(into, 'cmake', projectOf[name]);
  const unfinished = join(into, `.unfinished-${name}`);
  // a killed compiler may leave half an object file that make would take for a whole one
  if (existsSync(unfinished)) rmSync(tree, { recursive: true, force: true });
  prepareTree(tree);
  writeFileSync(unfinished, '');
  const log = join(into, `${name}.log`);
  writeFileSync(log, '');
  say(expectation[name]);
  const project = projectPath('training', 'native', projectOf[name]);
  await runLogged('cmake', ['-S', project, '-B', tree, ...source], log, lock);
  await runLogged('cmake', ['--build', tree, '--parallel', String(jobs())], log, lock);
  rmSync(unfinished);
  return join(tree, `${name}.so`);
}

/** Makes a build tree, anew if CMake knows it by another path: the checkout has been moved or copied. */
export function prepareTree(tree: string): void {
  const cache = join(tree, 'CMakeCache.txt');
  const here = `CMAKE_CACHEFILE_DIR:INTERNAL=${tree}\n`;
  if (existsSync(cache) && !readFileSync(cache, 'utf8').includes(here)) {
    rmSync(tree, { recursive: true });
  }
  mkdirSync(tree, { recursive: true });
}

const expectation: Readonly<Record<NativeName, string>> = {
  lib_lightgbm: 'Building LightGBM: about 4 minutes on 2 cores, once.',
  libsluice: 'Building the TSMixer engine: less than a minute.',
};

/** One compiler per core, as far as memory reaches at 1 GiB each. */
const jobs = (): number =>
  Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / 2 ** 30)));

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
    const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
    reject(
      new SluiceError('native_failed', `The native build failed; the end of ${log}:\n${tail}`, {
        log,
      }),
    );
  });
  return promise;
}

/** Tries a library, then puts it in its place by a rename, and its stamp beside it. */
function publish(
  into: string,
  { name, named, inputs }: WantedLibrary,
  version: string | null,
  place: (staging: string) => void,
): void {
  const library = libraryIn(into, name);
  const staging = stagingPath(library);
  rmSync(staging, { force: true });
  place(staging);
  try {
    if (name === 'lib_lightgbm') findLightgbm(named ?? staging);
    else findSluice(staging);
  } catch (error) {
    rmSync(staging, { force: true });
    throw error;
  }
  rmSync(stampIn(into, name), { force: true });
  renameSync(staging, library);
  const stamp = stampOf(into, name, inputs, version);
  writeFileAtomic(stampIn(into, name), `${JSON.stringify(stamp, null, 2)}\n`);
}
