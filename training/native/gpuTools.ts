// What this machine has for GPUs, as `doctor` tells it: the compiler, the two libraries, the device. None of it is needed
// for work on the CPU.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asSluiceError, projectPath } from '../../core/index.ts';
import { failureIn, libraryIn, type NativeName } from './buildStamp.ts';
import { type CudaEnvironment, findNvcc, nvccVersion } from './cudaToolkit.ts';
import { findLightgbm, lightgbmInfo } from './lightgbmLibrary.ts';
import { findSluice } from './sluiceLibrary.ts';

/** A library that was never built (false), of no use (why, and where it stands if it does), or that serves. */
export type Found<T> = false | { readonly path: string | null; readonly error: string } | T;

/** The first GPU, and the library that reached it. */
export interface FoundDevice {
  readonly path: string;
  readonly name: string;
  /** 90 = sm_90 */
  readonly capability: number;
  /** newest CUDA that the driver runs, as 13.0 */
  readonly driver: string;
  /** CUDA that the library was built with, as 13.0 */
  readonly runtime: string;
  readonly memory_bytes: number;
}

/** What was found. */
export interface GpuTools {
  readonly nvcc: { readonly path: string; readonly version: string | null } | null;
  readonly tsmixer: Found<FoundDevice>;
  readonly lightgbm: Found<{ readonly path: string; readonly version: string | null }>;
}

/**
 * Looks, and asks the libraries that are there.
 * @param into the build folder; default: that of `make native`
 */
export function gpuTools(
  env: CudaEnvironment,
  into: string = projectPath('build', 'native'),
): GpuTools {
  const nvcc = findNvcc(env);
  return {
    nvcc: nvcc && { path: nvcc.path, version: nvccVersion(nvcc.path) },
    tsmixer: ask(into, 'libsluice_cuda', firstDevice),
    lightgbm: ask(into, 'lib_lightgbm_cuda', (path) => {
      const { version, cuda } = lightgbmInfo(findLightgbm(path));
      return cuda ? { path, version } : { path, error: 'A LightGBM without CUDA.' };
    }),
  };
}

function ask<T>(into: string, name: NativeName, look: (path: string) => Found<T>): Found<T> {
  const path = libraryIn(into, name);
  try {
    if (existsSync(path)) return look(path);
  } catch (thrown) {
    const { message, context } = asSluiceError(thrown);
    return { path, error: typeof context.reason === 'string' ? context.reason : message };
  }
  if (!existsSync(failureIn(into, name))) return false;
  const log = join(into, `${name}.log`);
  return {
    path: null,
    error: `Its last build failed: see ${log}; \`make native-cuda\` tries again.`,
  };
}

function firstDevice(path: string): FoundDevice {
  const { name, capability, driver, runtime, memoryBytes } = findSluice(path).deviceInfo(0);
  return {
    path,
    name,
    capability,
    driver: cudaVersion(driver),
    runtime: cudaVersion(runtime),
    memory_bytes: memoryBytes,
  };
}

/** 12080 = 12.8 */
const cudaVersion = (number: number): string =>
  `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

/** What a person reads of it, a line each. */
export function gpuLines({ nvcc, tsmixer, lightgbm }: GpuTools): string[] {
  return [
    `nvcc        ${nvcc === null ? 'not found, and needed only to build for GPUs' : `${nvcc.version ?? 'of unknown version'}, ${nvcc.path}`}`,
    `  TSMixer   ${tell(tsmixer, deviceLine, 'make native')}`,
    `  LightGBM  ${tell(lightgbm, ({ path, version }) => `${version ?? 'of unknown version'}, ${path}`, 'make native-cuda')}`,
  ];
}

const deviceLine = ({ path, name, capability, driver, memory_bytes }: FoundDevice): string =>
  `${name}, sm_${capability}, ${Math.round(memory_bytes / 2 ** 30)} GiB, driver for CUDA ${driver}, ${path}`;

function tell<T extends object>(found: Found<T>, line: (found: T) => string, make: string): string {
  if (found === false) return `not built for GPUs; with nvcc, \`${make}\` builds it`;
  if (!('error' in found)) return line(found);
  return found.path === null ? found.error : `${found.path}: ${found.error}`;
}
