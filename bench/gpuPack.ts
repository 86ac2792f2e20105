// Packs what `make gpu-check` needs for a GPU machine without a network: the sources, the packages that the check loads, and
// Node itself. There: tar xf sluice-gpu.tar.xz && make -C sluice-gpu gpu-check. docs/gpu.md has the rest.
// usage: node bench/gpuPack.ts [--out FILE] [--lightgbm] [--level 0-9]     (make gpu-pack)
// --lightgbm adds LightGBM's built libraries, to be compared there; they need a C library no older than this machine's.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

// Nothing of ours is imported above: what it would load is found by watching it load.
const mostMib = 60;
const root = join(import.meta.dirname, '..');

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'build', 'sluice-gpu.tar.xz') },
    level: { type: 'string', default: '6' },
    lightgbm: { type: 'boolean', default: false },
  },
});
await pack(resolve(values.out));

async function pack(out: string): Promise<void> {
  const staging = mkdtempSync(join(tmpdir(), 'sluice-pack-'));
  try {
    const files = [
      ...sources(),
      ...(await loadedPackages()),
      join('node_modules', '.bin', 'node'),
      join('node_modules', 'node', 'bin', 'node'),
      ...(values.lightgbm ? lightgbmLibraries() : []),
    ];
    const { codeVersion } = await import('./harness.ts');
    writeFileSync(join(staging, 'packed.json'), `${JSON.stringify({ code: codeVersion() })}\n`);
    // newer than package.json: make then asks for no npm
    mkdirSync(join(staging, 'node_modules'));
    writeFileSync(join(staging, 'node_modules', '.setup'), '');
    mkdirSync(dirname(out), { recursive: true });
    archive(out, files, staging, ['packed.json', join('node_modules', '.setup')]);
  } finally {
    rmSync(staging, { recursive: true });
  }
  const mib = statSync(out).size / 2 ** 20;
  process.stdout.write(`${out}: ${mib.toFixed(1)} MiB\n`);
  if (mib <= mostMib) return;
  process.stderr.write(`That is more than ${mostMib} MiB.\n`);
  process.exitCode = 1;
}

/** Every file that git knows or would add, and that is still there. */
function sources(): string[] {
  const listed = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], { cwd: root });
  const files = listed.toString().split('\0');
  return files.filter((file) => file !== '' && existsSync(join(root, file)));
}

/** Folders of the packages that the check loads, by watching it load. */
async function loadedPackages(): Promise<string[]> {
  const folders = new Set<string>();
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const inside = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(resolved.url)?.[0];
      if (inside !== undefined) folders.add(relative(root, fileURLToPath(inside)));
      return resolved;
    },
  });
  const parts = globSync('*.ts', { cwd: join(root, 'bench', 'gpu') });
  const modules = parts.filter((part) => part !== 'sanitized.ts'); // it would train
  for (const part of modules) await import(`./gpu/${part}`);
  hooks.deregister();
  return [...folders].sort();
}

function lightgbmLibraries(): string[] {
  const folder = join('build', 'native');
  return globSync('lib_lightgbm*.{so,json}', { cwd: join(root, folder) }).map((file) =>
    join(folder, file),
  );
}

function archive(out: string, files: readonly string[], staging: string, staged: string[]): void {
  const { status, stderr } = spawnSync(
    'tar',
    [
      ...['--create', '--file', out, '--use-compress-program', `xz -T0 -${values.level}`],
      ...['--owner', '0', '--group', '0', '--transform', 's,^,sluice-gpu/,S'],
      ...['--directory', root, '--null', '--verbatim-files-from', '--files-from', '-'],
      ...['--directory', staging, ...staged],
    ],
    { input: files.join('\0'), encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`tar failed: ${stderr}`);
}
