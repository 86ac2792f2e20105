// Which libraries a build is asked for. Imports nothing but Node, because every `make` asks.

import { hasFailed, inputsOf, isBuilt, type NativeName } from './buildStamp.ts';
import type { Nvcc } from './cudaToolkit.ts';

/** A library that should stand in the build folder. */
export interface WantedLibrary {
  readonly name: NativeName;
  /** path of one that was built elsewhere; null = build it */
  readonly named: string | null;
  readonly inputs: string;
  /** the compiler of a library for GPUs; null for others, and where it is missing */
  readonly nvcc: Nvcc | null;
  /** true = a failure is told, and remembered for these inputs, and the build goes on */
  readonly optional: boolean;
}

/** What was asked for. */
export interface BuildRequest {
  /** path of a lib_lightgbm that was built elsewhere */
  readonly lightgbm: string | null;
  /** true = both libraries for GPUs, whatever it takes */
  readonly cuda: boolean | 'if possible';
  /** true = that library alone */
  readonly emulated: boolean;
  readonly nvcc: Nvcc | null;
}

/** The libraries of a request, in the order of building: those that everybody needs first. */
export function wantedLibraries(request: BuildRequest): WantedLibrary[] {
  const { lightgbm, cuda, emulated, nvcc } = request;
  if (emulated) return [wanted('libsluice_emulated')];
  const forCpu = [wanted('lib_lightgbm', { named: lightgbm }), wanted('libsluice')];
  if (cuda === true)
    return [...forCpu, wanted('libsluice_cuda', { nvcc }), wanted('lib_lightgbm_cuda', { nvcc })];
  if (cuda === false || nvcc === null) return forCpu;
  return [...forCpu, wanted('libsluice_cuda', { nvcc, optional: true })];
}

function wanted(
  name: NativeName,
  special: Partial<Pick<WantedLibrary, 'named' | 'nvcc' | 'optional'>> = {},
): WantedLibrary {
  const { named = null, nvcc = null, optional = false } = special;
  return { name, named, inputs: inputsOf(name, named, nvcc), nvcc, optional };
}

/** True if the library stands, or is optional and has been tried in vain. */
export const isSettled = (into: string, { name, inputs, optional }: WantedLibrary): boolean =>
  isBuilt(into, name, inputs) || (optional && hasFailed(into, name, inputs));
