// Which code runs: the commit, and whether the work tree differs from it.

import { execFileSync } from 'node:child_process';
import { sha256Hex } from './canonicalJson.ts';
import { projectPath } from './files.ts';

/** The code of a run. Without git the commit is `unknown`, which counts as dirty. */
export interface CodeVersion {
  readonly commit: string;
  readonly dirty: boolean;
  /** digest of commit and differences: equal text, equal code */
  readonly digest: string;
}

/** Asks git about the project's own folder. */
export function readCodeVersion(): CodeVersion {
  try {
    const commit = git('rev-parse', 'HEAD').trim();
    const dirty = git('status', '--porcelain') !== '';
    const changes = dirty ? git('diff', 'HEAD') : '';
    return { commit, dirty, digest: sha256Hex(`${commit}\n${changes}`) };
  } catch {
    return { commit: 'unknown', dirty: true, digest: sha256Hex('unknown') };
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: projectPath(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
}
