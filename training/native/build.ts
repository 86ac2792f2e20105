#!/usr/bin/env node
// Builds the native libraries unless they stand: `node training/native/build.ts [--lightgbm FILE] [--into DIR]`.
// `make native` runs it. FILE is another lib_lightgbm of version 4 to use instead of building one.

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { inputsOf, isBuilt } from './buildStamp.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { lightgbm: { type: 'string' }, into: { type: 'string' } },
  });
  const into = resolve(values.into ?? join(import.meta.dirname, '..', '..', 'build', 'native'));
  const named = values.lightgbm === undefined ? null : resolve(values.lightgbm);
  const wanted = [
    { name: 'lib_lightgbm', named, inputs: inputsOf('lib_lightgbm', named) },
    { name: 'libsluice', named: null, inputs: inputsOf('libsluice', null) },
  ] as const;
  if (wanted.every(({ name, inputs }) => isBuilt(into, name, inputs))) return;
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
