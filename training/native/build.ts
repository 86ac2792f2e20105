#!/usr/bin/env node
// Builds the native libraries unless they stand: `node training/native/build.ts [--lightgbm FILE] [--into DIR]`. `make
// native` runs it. Where nvcc is found, the engine's GPU half is built too, and a failure there is told but fails nothing;
// --no-cuda leaves it out. With --cuda (`make native-cuda`) both libraries for GPUs must be built. --emulated builds the GPU
// half for the CPU, which tests use, and nothing else. FILE is another lib_lightgbm of version 4 to use instead of building one.

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findNvcc } from './cudaToolkit.ts';
import { isSettled, wantedLibraries } from './wantedLibrary.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      lightgbm: { type: 'string' },
      into: { type: 'string' },
      cuda: { type: 'boolean' },
      emulated: { type: 'boolean' },
    },
  });
  const into = resolve(values.into ?? join(import.meta.dirname, '..', '..', 'build', 'native'));
  const wanted = wantedLibraries({
    lightgbm: values.lightgbm === undefined ? null : resolve(values.lightgbm),
    cuda: values.cuda ?? 'if possible',
    emulated: values.emulated ?? false,
    nvcc: values.cuda === false ? null : findNvcc(process.env),
  });
  if (wanted.every((library) => isSettled(into, library))) return;
  const { buildNative } = await import('./nativeBuild.ts'); // seldom needed and slow to load
  await buildNative(into, wanted, say);
}

try {
  await main();
} catch (error) {
  const { message, exit } = error as { readonly message: string; readonly exit?: number };
  say(message);
  process.exitCode = exit ?? 1;
}
