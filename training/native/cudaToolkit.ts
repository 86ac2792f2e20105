// Where the CUDA compiler is. Imports nothing but Node, because every `make` asks.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** A CUDA compiler that was found. */
export interface Nvcc {
  readonly path: string;
  /** Changes when another compiler stands there: the file behind the path, its size and its time. */
  readonly identity: string;
}

/** Variables of the environment that decide. */
export type CudaEnvironment = Readonly<
  Partial<Record<'CUDACXX' | 'CUDA_HOME' | 'PATH', string | undefined>>
>;

/** Where NVIDIA's installer puts it. */
const installed = '/usr/local/cuda/bin';

/**
 * Finds nvcc: the one that `CUDACXX` names, or else in `$CUDA_HOME/bin`, in `PATH`, in `/usr/local/cuda/bin`. A few looks at
 * files; nothing is run. null if there is none, or not where `CUDACXX` says.
 */
export function findNvcc(env: CudaEnvironment, standardFolder: string = installed): Nvcc | null {
  const search = (env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  if (env.CUDACXX) {
    const named = env.CUDACXX;
    return firstOf(isAbsolute(named) ? [named] : search.map((folder) => join(folder, named)));
  }
  const home = env.CUDA_HOME ? [join(env.CUDA_HOME, 'bin')] : [];
  return firstOf([...home, ...search, standardFolder].map((folder) => join(folder, 'nvcc')));
}

function firstOf(paths: readonly string[]): Nvcc | null {
  const path = paths.find(isProgram);
  if (path === undefined) return null;
  const { size, mtimeMs } = statSync(path);
  return { path, identity: `${realpathSync(path)} ${size} ${mtimeMs}` };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What a compiler says it is, as 13.0.88; null if it says nothing of the kind. Runs it. */
export function nvccVersion(path: string): string | null {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return /\bV(\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1] ?? null;
}
