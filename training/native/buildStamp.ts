// Whether what stands in build/native is what would be built now. Imports nothing but Node, because every `make` asks.

import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The npm package that carries LightGBM's whole source (MIT; CUDA sources, Eigen and fmt included). */
export const lightgbmPackage = {
  name: 'lightgbm',
  version: '1.0.27',
  lightgbmVersion: '4.1.0.99',
  sha512:
    '4E/Gjr3FqQl9U3z0BMuuViTlvO7T9oGMcfa3Jp2MRyKWWSJxFPs7xDTlzrEaBBG6iA69S/AcGn1lgMCuZT8qsg==',
} as const;

/** The libraries that a build makes, by the names of their files without `.so`. */
export type NativeName = 'lib_lightgbm' | 'libsluice';

/** What a build was made from and what it gave; kept beside the library. */
export interface BuildStamp {
  readonly inputs: string;
  readonly library_sha256: string;
  /** of lib_lightgbm; null for a library that was built elsewhere */
  readonly lightgbm_version: string | null;
}

/** Path of a library in a build folder. */
export const libraryIn = (into: string, name: NativeName): string => join(into, `${name}.so`);
/** Path of the stamp beside a built library. */
export const stampIn = (into: string, name: NativeName): string => join(into, `${name}.json`);

/** Folder of a library's CMake project, below this one. */
export const projectOf = { lib_lightgbm: 'lightgbm', libsluice: 'sluice' } as const;

/** What decides the result: the library that was named, or the CMake project with its sources and the pinned package. */
export function inputsOf(name: NativeName, named: string | null): string {
  if (named !== null) return `library ${named}`;
  const folder = join(import.meta.dirname, projectOf[name]);
  const files = globSync('**/*.*', { cwd: folder }).sort();
  const digests = files.map((file) => `${file} ${sha256(join(folder, file))}`);
  const pinned = name === 'lib_lightgbm' ? [lightgbmPackage.sha512] : [];
  return createHash('sha256')
    .update([...pinned, ...digests].join('\n'))
    .digest('hex');
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
  version: string | null,
): BuildStamp => ({
  inputs,
  library_sha256: sha256(libraryIn(into, name)),
  lightgbm_version: version,
});

const sha256 = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');
