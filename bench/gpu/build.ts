// Builds the engine's two halves and nothing else: a machine that is lent for minutes has no network and no time for trees.

import { projectPath } from '../../core/index.ts';
import { isBuilt } from '../../training/native/buildStamp.ts';
import { findNvcc } from '../../training/native/cudaToolkit.ts';
import { buildNative } from '../../training/native/nativeBuild.ts';
import { wantedLibraries } from '../../training/native/wantedLibrary.ts';
import { type Protocol, pass } from './protocol.ts';

/** Builds the CPU half, and the GPU's where it is the one to check, unless they stand. */
export async function buildEngines(protocol: Protocol, cuda: boolean): Promise<void> {
  const into = projectPath('build', 'native');
  const nvcc = findNvcc(process.env);
  const all = wantedLibraries({ lightgbm: null, cuda: true, emulated: false, nvcc });
  const names = cuda ? ['libsluice', 'libsluice_cuda'] : ['libsluice'];
  for (const library of all.filter(({ name }) => names.includes(name))) {
    await protocol.look('build', library.name, async () => {
      if (isBuilt(into, library.name, library.inputs)) return pass('it stood already');
      await buildNative(into, [library], protocol.say);
      return pass('built');
    });
  }
}
