// Whether what stands in build/native is what would be built now. Imports nothing but Node, because every `make` asks.

import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Nvcc } from './cudaToolkit.ts';

/** The npm package that carries LightGBM's whole source (MIT; CUDA sources, Eigen and fmt included). */
export const lightgbmPackage = {
  name: 'lightgbm',
  version: '1.0.27',
  lightgbmVersion: '4.1.0.99',
  sha512:
    '4E/Gjr3FqQl9U3z0BMuuViTlvO7T9oGMcfa3Jp2MRyKWWSJxFPs7xDTlzrEaBBG6iA69S/AcGn1lgMCuZT8qsg==',
} as const;

/**
 * The libraries that a build makes, by the names of their files without `.so`: LightGBM and the engine, each for the CPU and
 * for GPUs, and the engine's GPU code compiled for the CPU, which only tests use.
 */
export type NativeName = keyof typeof projectOf;

/** What a build was made from and what it gave; kept beside the library. */
export interface BuildStamp {
  readonly inputs: string;
  readonly library_sha256: string;
  /** of lib_lightgbm; null for a library that was built elsewhere */
  readonly lightgbm_version: string | null;
  /** of the compiler of a library for GPUs */
  readonly nvcc_version?: string;
}

/** Path of a library in a build folder. */
export const libraryIn = (into: string, name: NativeName): string => join(into, `${name}.so`);
/** Path of the stamp beside a built library. */
export const stampIn = (into: string, name: NativeName): string => join(into, `${name}.json`);

/** Folder of a library's CMake project, below this one. */
export const projectOf = {
  lib_lightgbm: 'lightgbm',
  libsluice: 'sluice',
  libsluice_cuda: 'sluice',
  libsluice_emulated: 'sluice',
  lib_lightgbm_cuda: 'lightgbmCuda',
} as const;

/** Which implementation of the engine a library is: what its CMake project is told. */
export const halfOf = {
  libsluice: 'cpu',
  libsluice_cuda: 'cuda',
  libsluice_emulated: 'emulated',
} as const;

/** Files of a library's project that it is not made of, so that what changes there leaves it standing. */
const notInputs: Readonly<Record<NativeName, RegExp | null>> = {
  lib_lightgbm: null,
  libsluice: /^cuda\//,
  libsluice_cuda: /^cpu\/|^check|^cuda\/emulation/,
  libsluice_emulated: /^cpu\/|^check/,
  lib_lightgbm_cuda: null,
};

/** True for a library that has LightGBM's source. */
export const isLightgbm = (name: NativeName): boolean => name.startsWith('lib_lightgbm');

/**
 * What decides the result: the library that was named, or the CMake project with its sources, the pinned package and nvcc.
 * @param projects folder of the CMake projects; default: this one
 */
export function inputsOf(
  name: NativeName,
  named: string | null,
  nvcc: Nvcc | null = null,
  projects: string = import.meta.dirname,
): string {
  if (named !== null) return `library ${named}`;
  const folder = join(projects, projectOf[name]);
  const files = globSync('**/*.*', { cwd: folder })
    .filter((file) => !notInputs[name]?.test(file))
    .sort();
  const digests = files.map((file) => `${file} ${sha256(join(folder, file))}`);
  const pinned = isLightgbm(name) ? [lightgbmPackage.sha512] : [];
  const compiler = nvcc === null ? [] : [nvcc.identity];
  return createHash('sha256')
    .update([...pinned, ...compiler, ...digests].join('\n'))
    .digest('hex');
}

/** Path of the note that an optional library could not be built. */
export const failureIn = (into: string, name: NativeName): string => join(into, `.failed-${name}`);

/** True if these inputs have been tried in vain. */
export function hasFailed(into: string, name: NativeName, inputs: string): boolean {
  try {
    return readFileSync(failureIn(into, name), 'utf8') === inputs;
  } catch {
    return false;
  }
}

/** True if the library stands there whole and was made from these inputs. */
export function isBuilt(into: string, name: NativeName, inputs: string): boolean {
  try {
    const stamp = JSON.parse(readFileSync(stampIn(into, name), 'utf8')) as BuildStamp;
    return stamp.inputs === inputs && stamp.library_sha256 === sha256(libraryIn(into, name));
  } catch {
    return false;
  }
}

/** The stamp of a library that has just been put in its place. */
export const stampOf = (
  into: string,
  name: NativeName,
  inputs: string,
  versions: Pick<BuildStamp, 'lightgbm_version' | 'nvcc_version'>,
): BuildStamp => ({ inputs, library_sha256: sha256(libraryIn(into, name)), ...versions });

const sha256 = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');
